import { assemble } from '@trapframe/isa'
import type { CallbackName } from '../guest/entry-points.js'
import type { SegmentRegister } from '../guest/kernel.js'

/** A small program of a PV guest, as data: what its kernel sets up, how the code under test begins, and that code. */
export interface GuestProgram {
  readonly before: readonly SetUpStep[]
  readonly start: ProgramStart
  /** Instructions, as assembler text; the end marker follows. Each is the same wherever it lies. */
  readonly code: readonly string[]
  /** How often the handlers go back, how far beyond the RIP of the frame, and whether with VGCF_in_syscall. */
  readonly returns: { readonly count: number; readonly skip: number; readonly inSyscall: boolean }
}

/** The frame of the iret hypercall that starts the code. */
export interface ProgramStart {
  readonly rip: bigint
  /** RPL 3 is guest user, anything else guest kernel. */
  readonly cs: number
  readonly rflags: bigint
  readonly rsp: bigint
  readonly ss: number
  /** VGCF_in_syscall. */
  readonly inSyscall: boolean
}

/** Something that the guest's kernel does before; all of it may be refused. */
export type SetUpStep =
  | { readonly op: 'set_trap'; readonly vector: number; readonly dpl: number; readonly masks: boolean }
  | { readonly op: 'clear_trap'; readonly vector: number }
  | { readonly op: 'callback'; readonly name: CallbackName; readonly present: boolean; readonly masks: boolean }
  | { readonly op: 'descriptor'; readonly table: 'gdt' | 'ldt'; readonly index: number; readonly value: bigint }
  | { readonly op: 'ldt'; readonly entries: number }
  | {
      readonly op: 'segment_base'
      readonly which: 'FS' | 'GS_USER' | 'GS_KERNEL' | 'GS_USER_SEL'
      readonly value: bigint
    }
  | { readonly op: 'load'; readonly segment: SegmentRegister; readonly selector: number }
  | { readonly op: 'debugreg'; readonly n: number; readonly value: bigint }
  | { readonly op: 'stack'; readonly rsp: bigint }
  | { readonly op: 'iopl'; readonly iopl: number; readonly assist: boolean }
  | { readonly op: 'taskswitch' }
  | { readonly op: 'cr4'; readonly bits: bigint }
  | { readonly op: 'event' }
  | { readonly op: 'nmi' }
  | HostileStep

/** Steps of a guest that wants to do harm. */
export type HostileStep =
  /** `structure` is what lies at {@link ARGUMENTS}, to which arguments may point. */
  | {
      readonly op: 'hypercall'
      readonly number: number
      readonly args: readonly bigint[]
      readonly structure: readonly bigint[]
    }
  /** A page that only the guest's past could have written: it is read-only now. */
  | { readonly op: 'fill'; readonly page: bigint; readonly values: readonly bigint[] }
  /** The vCPU is scheduled out, another one runs on its CPU, and it is scheduled in. */
  | { readonly op: 'preempt' }
  /** The same, and its vcpu_guest_context is written back with quadwords changed. */
  | { readonly op: 'context'; readonly edits: readonly (readonly [offset: number, value: bigint])[] }

/** Descriptors of the guest's GDT whose code is of 32 bits, and Xen's. */
const CODE32: readonly number[] = [0x50, 0xe020]

/** Size of the code of a segment. */
export const codeSizeOf = (cs: number): 32 | 64 => (CODE32.includes(cs & ~3) ? 32 : 64)

const END = Uint8Array.of(0xcd, 0xf1)
const assembled = new Map<string, Uint8Array>()

/** The bytes of a program's code, with the end marker. @throws AssemblyError */
export function codeBytes({ code, start }: GuestProgram): Uint8Array {
  const codeSize = codeSizeOf(start.cs)
  const parts = code.map((text) => {
    const key = `${codeSize} ${text}`
    let bytes = assembled.get(key)
    if (bytes === undefined) {
      bytes = assemble(text, { origin: 0n, codeSize }).bytes
      assembled.set(key, bytes)
    }
    return bytes
  })
  return Uint8Array.from([...parts, END].flatMap((bytes) => [...bytes]))
}
