import { type Boot, type Cpu, GPR, type Machine, RSP, SSP } from '@trapframe/core'
import { CONTEXT, COUNT, FLAGS, ghostSlot, RIP } from '../ghost/region.js'
import { frameAt } from '../ghost/table.js'
import { type CpuStacks, shadowStackAt, stacksOf, TOKEN_BYTES } from './stacks.js'

const GENERAL_REGISTERS = 16
const RSP_NUMBER = (RSP - GPR) / 2

/**
 * For `SearchOptions.forget`: makes zero what a CPU was interrupted in, once its software never goes back there. That is
 * everything on its stacks and shadow stacks but what lies below RSP and SSP, all general registers but RSP and those
 * that are kept, and what the ghost state remembers of the interrupted contexts; where the frames lie it still knows, so
 * that they are judged as before. Tokens of shadow stacks stay.
 *
 * Without it the addresses of interrupted instructions tell states apart for ever. Zero rather than ignored: software that
 * does go back there returns to address 0 with nothing in its registers, which an invariant notices.
 *
 * @returns what does so for a CPU, with the numbers of the registers that its code still uses
 */
export function interruptedContexts(machine: Machine, boot: Boot): (cpu: Cpu, keep: readonly number[]) => void {
  const all = stacksOf(machine, boot)
  const ghost = ghostSlot(machine.cpu)
  return (cpu, keep) => {
    clearRegisters(cpu, keep)
    clearGhost(cpu, ghost)
    clearStacks(cpu, all[cpu.id]!)
  }
}

function clearRegisters({ words }: Cpu, keep: readonly number[]): void {
  for (let n = 0; n < GENERAL_REGISTERS; n++) {
    if (n === RSP_NUMBER || keep.includes(n)) continue
    words[GPR + 2 * n] = 0
    words[GPR + 2 * n + 1] = 0
  }
}

function clearGhost({ words }: Cpu, ghost: number): void {
  for (let n = words[ghost + COUNT]!; n >= 1; n--) {
    const frame = frameAt(ghost, n)
    words[frame + RIP] = 0
    words[frame + RIP + 1] = 0
    words[frame + CONTEXT] = 0
    words[frame + FLAGS] = 0
  }
}

function clearStacks(cpu: Cpu, stacks: CpuStacks): void {
  const rsp = cpu.get64(RSP)
  for (const stack of stacks.stacks) {
    const from = stack.holds(rsp) ? Number(rsp - stack.from) : 0
    stack.clear(cpu, from, Number(stack.end - stack.from))
  }
  const ssp = cpu.get64(SSP)
  const current = shadowStackAt(stacks, ssp)
  for (const stack of stacks.shadowStacks) {
    const from = stack === current ? Number(ssp - stack.from) : 0
    stack.clear(cpu, from, Number(stack.end - stack.from) - TOKEN_BYTES)
  }
}
