import { GPR_NAMES, type GprName } from '@trapframe/core'
import { END_VECTOR } from '../guest/initial-state.js'
import type { PvGuest, Stop } from '../guest/pv-guest.js'
import { type Observed, observeEntry, observeStop } from './observe.js'
import { perform, STOPPED } from './perform.js'
import { codeBytes, type GuestProgram } from './program.js'

/** What the general registers hold at the start: a digit over and over, in RAX another one in each half. */
export const START_REGISTERS: Readonly<Partial<Record<GprName, bigint>>> = Object.fromEntries(
  GPR_NAMES.filter((name) => name !== 'rsp').map((name, i) => [
    name,
    name === 'rax' ? 0xaaaa_0000_bbbb_1111n : BigInt(i) * 0x1111_1111_1111_1111n,
  ]),
)

/** Flag of the iret hypercall. */
const VGCF_IN_SYSCALL = 0x100n

/** One run of a program: it goes on when asked, so that two can be compared event by event. */
export class ProgramRun {
  readonly guest: PvGuest
  readonly program: GuestProgram
  /** What Xen answered to the steps of the set-up. */
  readonly answers: readonly (bigint | string)[]
  #stop: Stop | null = null
  #returns = 0

  /** Does the set-up. The guest is as it is before each program. */
  constructor(guest: PvGuest, program: GuestProgram) {
    this.guest = guest
    this.program = program
    guest.placeCode(codeBytes(program))
    const answers: (bigint | string)[] = []
    for (const step of program.before) {
      const answer = perform(guest, step)
      answers.push(answer)
      if (typeof answer === 'string' && answer.startsWith(STOPPED)) break
    }
    this.answers = answers
  }

  /** Goes on to the next entry into the guest's kernel, and tells what the guest sees there; null after the last one. */
  next(): Observed | null {
    const { guest, program } = this
    const last = this.#stop
    if (last === null) {
      if (this.answers.length < program.before.length || String(this.answers.at(-1)).startsWith(STOPPED)) return null
      this.#stop = this.#begin()
    } else {
      if (last.kind !== 'entry' || this.#returns >= program.returns.count) return null
      if (last.entry.kind === 'trap' && last.entry.vector === END_VECTOR) return null
      this.#returns++
      const { skip, inSyscall } = program.returns
      this.#stop = guest.resume(BigInt(skip), inSyscall ? VGCF_IN_SYSCALL : 0n)
    }
    return this.#stop.kind === 'entry' ? observeEntry(guest, this.#stop.entry) : observeStop(this.#stop)
  }

  #begin(): Stop {
    const { guest } = this
    const { rip, cs, rflags, rsp, ss, inSyscall } = this.program.start
    const { rax = 0n, rcx = 0n, r11 = 0n } = START_REGISTERS
    return guest.iret(
      { rax, r11, rcx, flags: inSyscall ? VGCF_IN_SYSCALL : 0n, rip, cs: BigInt(cs), rflags, rsp, ss: BigInt(ss) },
      START_REGISTERS,
    )
  }
}
