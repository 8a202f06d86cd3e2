import type { Boot, Cpu, Machine } from '@trapframe/core'
import { ADDRESS, BYTES, COUNT, INSTRUCTION_SSP, RETURNED, SSP } from '../ghost/region.js'
import { frameAt, isLive } from '../ghost/table.js'
import { type CpuStacks, shadowStackAt, stacksOf, TOKEN_BYTES } from './stacks.js'

/**
 * Clears what a handler leaves on its stack when it returns: its frame and everything below it, down to the end of the
 * stack region, unless another live frame or RSP is there; and everything below SSP on the shadow stack that it ran on.
 * Software that keeps to its stack never reads these bytes again, and a CPU reads a shadow stack at SSP only, but as long
 * as they are there they tell states apart that behave alike: the address of an interrupted instruction stays
 * below the stack pointer until the next event overwrites it, and a program of n instructions with events of depth d has
 * about n to the power of d states instead of d times n. Whether software does read below its stack pointer only its
 * author can say; therefore a search clears only when it is told to.
 *
 * Which regions are stacks is read when the search begins.
 */
export class DeadStacks {
  readonly #machine: Machine
  readonly #stacks: readonly CpuStacks[]

  constructor(machine: Machine, boot: Boot) {
    this.#machine = machine
    this.#stacks = stacksOf(machine, boot)
  }

  /** To be called after each step, before the ghost state is settled; `ghost` is the first word of its region. */
  clear(ghost: number): void {
    for (const cpu of this.#machine.cpus) {
      if (cpu.words[ghost + RETURNED] === 0) continue
      this.#clearStack(cpu, ghost)
      this.#clearShadowStack(cpu, ghost)
    }
  }

  #clearStack(cpu: Cpu, ghost: number): void {
    const { words } = cpu
    const frame = frameAt(ghost, words[ghost + RETURNED]!)
    const address = cpu.get64(frame + ADDRESS)
    const stack = this.#stacks[cpu.id]!.stacks.find((region) => region.holds(address))
    if (stack === undefined) return
    const top = address + BigInt(words[frame + BYTES]!)
    const { rsp } = cpu
    const end = rsp >= stack.from && rsp < top ? rsp : top
    for (let n = words[ghost + COUNT]!; n >= 1; n--) {
      if (!isLive(words, ghost, n)) continue
      const other = cpu.get64(frameAt(ghost, n) + ADDRESS)
      if (other >= stack.from && other < end) return
    }
    stack.clear(cpu, 0, Number(end - stack.from))
  }

  /** Up to the lowest SSP that is in use there or will be again, or else to the token. */
  #clearShadowStack(cpu: Cpu, ghost: number): void {
    const { words } = cpu
    const stacks = this.#stacks[cpu.id]!
    const stack = shadowStackAt(stacks, cpu.get64(ghost + INSTRUCTION_SSP))
    if (stack === undefined) return
    const { ssp } = cpu
    let end = shadowStackAt(stacks, ssp) === stack ? ssp : stack.end - BigInt(TOKEN_BYTES)
    for (let n = words[ghost + COUNT]!; n >= 1; n--) {
      if (!isLive(words, ghost, n)) continue
      const other = cpu.get64(frameAt(ghost, n) + SSP)
      if (other < end && shadowStackAt(stacks, other) === stack) end = other
    }
    stack.clear(cpu, 0, Number(end - stack.from))
  }
}
