import type { AddressSpace } from '@trapframe/core'
import { assemble, type Program } from '@trapframe/isa'
import { guestVcpuInfo } from '@trapframe/xen'
import { vcpuInfoOffset } from '../state/vcpu-info.js'
import { ENTRY_POINT_COUNT, vectorEntry } from './entry-points.js'
import { ENTRY_POINT_BYTES, KERNEL_DATA, KERNEL_TEXT } from './memory.js'

/**
 * The guest's kernel: pieces of code, each ending at a label of its own name with `_end`, that do one thing for whoever
 * drives the guest. They run in ring 3 like any PV kernel.
 */

/** RFLAGS at the SYSCALL of the kernel's iret hypercall: CF, PF and ZF are set, no other flag that POPF can change. */
export const IRET_RFLAGS = 0x247n

const HYPERCALL_IRET = 23

/** Variables of the kernel: what the handlers add to RIP, and the flags of their iret hypercall. */
const SKIP = KERNEL_DATA
const FLAGS = KERNEL_DATA + 8n
/** Arguments of hypercalls that take a structure; the trap table as the kernel set it; a list of its entries. */
export const ARGUMENTS = KERNEL_DATA + 0x100n
export const TRAP_TABLE = KERNEL_DATA + 0x1000n
export const TRAP_LIST = KERNEL_DATA + 0x2000n

const sharedInfo = guestVcpuInfo(0).linear
const shared = (name: Parameters<typeof vcpuInfoOffset>[0]): bigint => sharedInfo + BigInt(vcpuInfoOffset(name))

/** Address of vcpu_info.evtchn_upcall_mask and other fields that Xen and the guest share. */
export const sharedField = shared

/** Data segment registers that a guest’s kernel loads. */
const SEGMENTS = ['ds', 'es', 'fs', 'gs'] as const
export type SegmentRegister = (typeof SEGMENTS)[number]

const piece = (name: string, ...code: readonly string[]): string =>
  [`${name}:`, ...code, `${name}_end:`, 'ud2'].join('\n')

/**
 * What every entry point goes to. RSP is a bounce frame, which Xen aligns, so that bit 3 says whether an error code is in it.
 * RCX and R11 come from the frame, a pending upcall is taken note of, and an iret hypercall goes back.
 */
const RESUME = `
resume:
  mov rcx, [rsp]
  mov r11, [rsp + 8]
  lea rsp, [rsp + 16]
  test esp, 8
  jnz .no_error_code
  lea rsp, [rsp + 8]
.no_error_code:
  mov byte [${shared('evtchn_upcall_pending')}], 0
  mov qword [${shared('evtchn_pending_sel')}], 0
  mov qword [${shared('evtchn_pending')}], 0
  push rax
  mov rax, [${SKIP}]
  add [rsp + 8], rax
  pop rax
  push qword [${FLAGS}]
  push rcx
  push r11
  push rax
iret_hypercall:
  push ${IRET_RFLAGS}
  popfq
  mov eax, ${HYPERCALL_IRET}
  syscall
iret_hypercall_return:
  ud2
`

const SOURCE = [
  piece('hypercall', 'syscall'),
  piece('rdmsr', 'rdmsr', 'shl rdx, 32', 'or rax, rdx'),
  ...SEGMENTS.map((name) => piece(`load_${name}`, `mov ${name}, edi`)),
  ...SEGMENTS.map((name) => piece(`read_${name}`, `mov eax, ${name}`)),
  piece('read_gs_qword', 'mov rax, [gs:0]'),
  piece('set_cr4_bits', 'mov rax, cr4', 'or rax, rdi', 'mov cr4, rax'),
  // Xen's mark for an instruction that it shall emulate.
  piece('cpuid', 'ud2', 'db 0x78, 0x65, 0x6e', 'cpuid'),
  piece('read_qword', 'mov rax, [rdi]'),
  piece('write_qword', 'mov [rdi], rsi'),
  RESUME,
].join('\n')

export const KERNEL: Program = assemble(SOURCE, { origin: KERNEL_TEXT })

/** The pieces by name. */
export type Piece =
  | 'hypercall'
  | 'rdmsr'
  | `load_${SegmentRegister}`
  | `read_${SegmentRegister}`
  | 'read_gs_qword'
  | 'set_cr4_bits'
  | 'cpuid'
  | 'read_qword'
  | 'write_qword'

/** First byte of a piece, and the address that ends it. */
export const pieceAt = (name: Piece): readonly [start: bigint, end: bigint] => [label(name), label(`${name}_end`)]

function label(name: string): bigint {
  const address = KERNEL.labels.get(name)
  if (address === undefined) throw new RangeError(`the guest's kernel has no label ${name}`)
  return address
}

/** The kernel's iret hypercall, with RSP at its frame, and the instruction after its SYSCALL. */
export const IRET_HYPERCALL = label('iret_hypercall')
export const IRET_HYPERCALL_RETURN = label('iret_hypercall_return')

/** Writes the kernel and its entry points. */
export function placeKernel(space: AddressSpace): void {
  space.write(KERNEL_TEXT, KERNEL.bytes)
  const entry = assemble(`jmp ${label('resume')}`, { origin: vectorEntry(0) }).bytes.length
  if (BigInt(entry) > ENTRY_POINT_BYTES) throw new RangeError(`an entry point has ${entry} bytes`)
  for (let i = 0; i < ENTRY_POINT_COUNT; i++) {
    const origin = vectorEntry(i)
    space.write(origin, assemble(`jmp ${label('resume')}`, { origin }).bytes)
  }
}

/** Tells the handlers how to go back: bytes to add to RIP, flags of the iret hypercall. */
export function setResumption(space: AddressSpace, skip: bigint, flags: bigint): void {
  space.write64(SKIP, skip)
  space.write64(FLAGS, flags)
}
