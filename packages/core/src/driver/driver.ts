import type { Segment } from '../cpu/cpu.js'

/**
 * The port through which one implementation of x86-64 is asked what happens: the model implements it, and so can an
 * emulator behind a debugger's stub or real silicon. Everything in it is architectural.
 */

export const SEGMENT_NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const
export type SegmentName = (typeof SEGMENT_NAMES)[number]

/** General registers in the order of their encoding. */
export const GPR_NAMES = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const
export type GprName = (typeof GPR_NAMES)[number]

/** Control and debug registers, and EFER, of a driver’s states. */
export const CONTROL_NAMES = ['cr0', 'cr2', 'cr4', 'cr8', 'efer', 'dr6', 'dr7'] as const
export type ControlName = (typeof CONTROL_NAMES)[number]

/** What blocks events. */
export interface Blocking {
  readonly nmi: boolean
  readonly sti: boolean
  readonly movss: boolean
}

/** The registers of a CPU. */
export interface Registers {
  readonly gpr: Readonly<Record<GprName, bigint>>
  readonly rip: bigint
  readonly rflags: bigint
  readonly cpl: number
  readonly segments: Readonly<Record<SegmentName, Segment>>
  readonly gdtr: { readonly base: bigint; readonly limit: number }
  readonly idtr: { readonly base: bigint; readonly limit: number }
  readonly control: Readonly<Record<ControlName, bigint>>
  /** By index; an MSR that is absent is 0. */
  readonly msr: ReadonlyMap<number, bigint>
  /** Absent where the CPU has no shadow stacks. */
  readonly ssp?: bigint
  readonly blocking: Blocking
}

/** Pages in an identity mapping: linear address = physical address. */
export interface PageRange {
  readonly address: bigint
  readonly count: number
  /** Letters of `w u x s`. */
  readonly flags: string
}

/** Bytes at a linear address. */
export interface MemoryPatch {
  readonly address: bigint
  readonly bytes: Uint8Array
}

/** A complete state to start from. */
export interface InitialState extends Registers {
  readonly pages: readonly PageRange[]
  readonly memory: readonly MemoryPatch[]
}

/** An event that is pending before the first instruction. */
export type Injection = { readonly type: 'nmi' } | { readonly type: 'external-interrupt'; readonly vector: number }

/** How a run ended: HLT at CPL 0 (RIP is then the address of that HLT), shutdown, or neither within the limit. */
export type Outcome = 'halted' | 'shutdown' | 'running'

/** What plays a recorded experiment: a model or a real machine takes a state, runs, and shows what became of it. */
export interface Driver {
  /** Forgets everything and takes this state. */
  load(state: InitialState): void
  inject(injection: Injection): void
  /** Runs until HLT at CPL 0 or shutdown, `limit` steps at most. `executed` gets the mnemonics that completed. */
  run(limit: number, executed?: (mnemonic: string) => void): Outcome
  read(): Registers
  /** Bytes at a linear address that `load` mapped. */
  readMemory(address: bigint, length: number): Uint8Array
}
