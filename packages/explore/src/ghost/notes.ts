import { type Cpu, RF, RFLAGS, RIP as RIP_WORD, RSP as RSP_WORD, SSP as SSP_WORD } from '@trapframe/core'
import { contextChecksum } from './context.js'
import { eventOf, type FrameEvent } from './frame.js'
import {
  CONTEXT,
  CPL,
  EVENT,
  FLAGS,
  FROZEN,
  FROZEN_AT,
  FROZEN_RIP,
  GS_USED,
  GS_USED_BASE,
  INSTRUCTION_CPL,
  RETURNED,
  RIP,
  RSP,
  RUN_BYTES,
  RUN_TABLE,
  RUN_WORDS,
  RUNS,
  SHUT_DOWN,
  SSP,
  USER_RUN_TABLE,
  USER_RUNS,
} from './region.js'
import { frameAt } from './table.js'

/** A frame that a return consumed in this step, against what the CPU is now. */
export interface ReturnedFrame {
  readonly event: FrameEvent
  /** What the event interrupted, and what came back in its place. */
  readonly interrupted: { readonly rip: bigint; readonly rsp: bigint; readonly cpl: number; readonly ssp: bigint }
  readonly came: { readonly rip: bigint; readonly rsp: bigint; readonly cpl: number; readonly ssp: bigint }
  /** RFLAGS came back as it was, apart from RF. */
  readonly sameFlags: boolean
  /** So did the other general registers, the bases of FS and GS, KERNEL_GS_BASE and the selectors of CS and SS. */
  readonly sameRegisters: boolean
}

/** A stretch of memory that was written in a step. */
export interface Written {
  readonly address: bigint
  readonly bytes: number
}

/** What else is known about the last step of a CPU. Everything is read when it is asked for. */
export interface StepNotes {
  /** CPL at which an instruction began; null when none did. */
  readonly cplBefore: number | null
  /** GS base with which an instruction below CPL 3 used memory through GS; null when none did. */
  readonly gsUsed: bigint | null
  /** The CPU shut down. */
  readonly shutdown: boolean
  /** What software at CPL 3 wrote. */
  readonly writtenByUser: readonly Written[]
  /** What the last delivery wrote. */
  readonly writtenByDelivery: readonly Written[]
  /** A store into memory that this CPU left when it was contained. */
  readonly frozen: { readonly cpu: number; readonly at: bigint; readonly rip: bigint } | null
}

/** The frame that a return of this step consumed. To be asked only when there is one. */
export function returnedFrame(cpu: Cpu, ghost: number): ReturnedFrame {
  const { words } = cpu
  const frame = frameAt(ghost, words[ghost + RETURNED]!)
  return {
    event: eventOf(words[frame + EVENT]!),
    interrupted: {
      rip: cpu.get64(frame + RIP),
      rsp: cpu.get64(frame + RSP),
      cpl: words[frame + CPL]!,
      ssp: cpu.get64(frame + SSP),
    },
    came: { rip: cpu.get64(RIP_WORD), rsp: cpu.get64(RSP_WORD), cpl: cpu.cpl, ssp: cpu.get64(SSP_WORD) },
    sameFlags: ((words[frame + FLAGS]! ^ words[RFLAGS]!) & ~RF) === 0,
    sameRegisters: words[frame + CONTEXT] === contextChecksum(words),
  }
}

export function stepNotes(cpu: Cpu, ghost: number): StepNotes {
  const { words } = cpu
  return {
    get cplBefore() {
      const noted = words[ghost + INSTRUCTION_CPL]!
      return noted === 0 ? null : noted - 1
    },
    get gsUsed() {
      return words[ghost + GS_USED] === 0 ? null : cpu.get64(ghost + GS_USED_BASE)
    },
    get shutdown() {
      return words[ghost + SHUT_DOWN] !== 0
    },
    get writtenByUser() {
      return runs(cpu, ghost + USER_RUNS, ghost + USER_RUN_TABLE)
    },
    get writtenByDelivery() {
      return runs(cpu, ghost + RUNS, ghost + RUN_TABLE)
    },
    get frozen() {
      const by = words[ghost + FROZEN]!
      if (by === 0) return null
      return { cpu: by - 1, at: cpu.get64(ghost + FROZEN_AT), rip: cpu.get64(ghost + FROZEN_RIP) }
    },
  }
}

const NOTHING: readonly Written[] = []

function runs(cpu: Cpu, counter: number, table: number): readonly Written[] {
  const count = cpu.words[counter]!
  if (count === 0) return NOTHING
  return Array.from({ length: count }, (_, n) => ({
    address: cpu.get64(table + n * RUN_WORDS),
    bytes: cpu.words[table + n * RUN_WORDS + RUN_BYTES]!,
  }))
}
