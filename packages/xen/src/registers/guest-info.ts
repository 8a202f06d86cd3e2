import { type Cpu, IF, IOPL, isCanonical, VM } from '@trapframe/core'
import { DATA_SELECTORS, GENERAL_REGISTERS, type UserRegister } from '../layout/user-regs.js'
import {
  type BufferView,
  GUEST_CONTEXT,
  GUEST_CONTEXT_BYTES,
  PUBLIC_USER_REGS,
  TRAP_INFO_BYTES,
  VGCF_IN_KERNEL,
  viewBuffer,
} from './public-layout.js'
import { halves } from './struct-view.js'
import { TF_KERNEL_MODE, VCPU_TRAP_TABLE, type Vcpu } from './vcpu.js'

/** What Xen's hypercalls return where an argument cannot be. */
export const EINVAL = -22

/** Fields of the context that are copied as they are, numbers and arrays. */
const QUADS = [
  'ldt_base',
  'ldt_ents',
  'gdt_ents',
  'kernel_ss',
  'kernel_sp',
  'event_callback_eip',
  'failsafe_callback_eip',
  'syscall_callback_eip',
  'vm_assist',
  'fs_base',
  'gs_base_kernel',
  'gs_base_user',
] as const
const ARRAYS = ['fpu_ctxt', 'gdt_frames', 'ctrlreg', 'debugreg'] as const

/** Fields of cpu_user_regs that are the same in both structures, but for the width of a selector. */
const REGISTERS: readonly UserRegister[] = [...GENERAL_REGISTERS, 'error_code', 'entry_vector', 'rip', 'rsp']

/** Addresses that a guest names: each must be canonical. */
const ADDRESSES = [
  'kernel_sp',
  'event_callback_eip',
  'failsafe_callback_eip',
  'syscall_callback_eip',
  'fs_base',
  'gs_base_kernel',
  'gs_base_user',
] as const

const RPL = 3n

/**
 * arch_get_info_guest: the state of a vCPU that is scheduled out as a vcpu_guest_context. The data selectors of its user_regs
 * come from pv_vcpu, IOPL from where it is kept apart from RFLAGS (X10, X11).
 */
export function getInfoGuest(cpu: Cpu, vcpu: Vcpu): Uint8Array {
  const bytes = new Uint8Array(GUEST_CONTEXT_BYTES)
  const context = viewBuffer(bytes, GUEST_CONTEXT)
  const regs = viewBuffer(context.part('user_regs'), PUBLIC_USER_REGS)
  const { userRegs } = vcpu
  for (const name of REGISTERS) regs.set(name, userRegs.get(name))
  regs.set('cs', userRegs.get('cs'))
  regs.set('saved_upcall_mask', userRegs.get('cs') >> 32n)
  regs.set('ss', userRegs.get('ss'))
  regs.set('rflags', userRegs.get('rflags') | vcpu.get('iopl'))
  for (const name of DATA_SELECTORS) regs.set(name, BigInt(vcpu.selector(name)))
  for (const name of QUADS) context.set(name, vcpu.get(name))
  for (const name of ARRAYS) context.part(name).set(vcpu.bytes(name))
  context
    .part('trap_ctxt')
    .set(cpu.space.read(vcpu.address + BigInt(VCPU_TRAP_TABLE), context.part('trap_ctxt').length))
  context.set('flags', (vcpu.get('flags') & TF_KERNEL_MODE) === 0n ? 0n : VGCF_IN_KERNEL)
  return bytes
}

/**
 * arch_set_info_guest: takes a vcpu_guest_context over into a vCPU that is scheduled out. Selectors of CS, SS, the kernel
 * stack and the handlers get RPL 3; VM is cleared, IF set and IOPL put where it is kept. Returns 0, or {@link EINVAL}
 * without any change where an address, one of a handler included, is not canonical, or an LDT cannot be.
 *
 * @throws RangeError for another number of bytes
 */
export function setInfoGuest(cpu: Cpu, vcpu: Vcpu, bytes: Uint8Array): number {
  if (bytes.length !== GUEST_CONTEXT_BYTES) {
    throw new RangeError(`a vcpu_guest_context has ${GUEST_CONTEXT_BYTES} bytes, not ${bytes.length}`)
  }
  const context = viewBuffer(bytes, GUEST_CONTEXT)
  const regs = viewBuffer(context.part('user_regs'), PUBLIC_USER_REGS)
  if (!addressesAreCanonical(cpu, context, regs) || !ldtFits(context)) return EINVAL
  const { userRegs } = vcpu
  for (const name of REGISTERS) userRegs.set(name, regs.get(name))
  userRegs.set('cs', regs.get('cs') | RPL | (regs.get('saved_upcall_mask') << 32n))
  userRegs.set('ss', regs.get('ss') | RPL)
  const rflags = regs.get('rflags')
  userRegs.set('rflags', (rflags & ~BigInt(VM | IOPL)) | BigInt(IF))
  vcpu.set('iopl', rflags & BigInt(IOPL))
  for (const name of DATA_SELECTORS) vcpu.setSelector(name, Number(regs.get(name)))
  for (const name of QUADS) vcpu.set(name, context.get(name))
  vcpu.set('kernel_ss', context.get('kernel_ss') | RPL)
  for (const name of ARRAYS) vcpu.setBytes(name, context.part(name))
  cpu.space.write(vcpu.address + BigInt(VCPU_TRAP_TABLE), trapTable(context.part('trap_ctxt')))
  const kernel = (context.get('flags') & VGCF_IN_KERNEL) === 0n ? 0n : TF_KERNEL_MODE
  vcpu.set('flags', (vcpu.get('flags') & ~TF_KERNEL_MODE) | kernel)
  return 0
}

function addressesAreCanonical(cpu: Cpu, context: BufferView, regs: BufferView): boolean {
  const ldt = context.get('ldt_ents') === 0n ? [] : [context.get('ldt_base')]
  const handlers = handlersOf(context.part('trap_ctxt'))
  const all = [regs.get('rip'), regs.get('rsp'), ...ldt, ...ADDRESSES.map((name) => context.get(name)), ...handlers]
  return all.every((address) => isCanonical(cpu, halves(address)[1]))
}

const PAGE_OFFSET = 0xfffn
const MOST_LDT_ENTRIES = 8192n

/** An LDT begins with a page, and has no more entries than selectors can name. */
const ldtFits = (context: BufferView): boolean =>
  (context.get('ldt_base') & PAGE_OFFSET) === 0n && context.get('ldt_ents') <= MOST_LDT_ENTRIES

/** Addresses of the handlers in a trap table. */
function handlersOf(traps: Uint8Array): bigint[] {
  const view = new DataView(traps.buffer, traps.byteOffset, traps.byteLength)
  return Array.from({ length: traps.length / TRAP_INFO_BYTES }, (_, n) =>
    view.getBigUint64(n * TRAP_INFO_BYTES + TRAP_ADDRESS, true),
  )
}

/** Offset of the selector in a trap_info, and of the handler's address. */
const TRAP_CS = 2
const TRAP_ADDRESS = 8

/** The trap table with RPL 3 in the selectors of its handlers. */
function trapTable(given: Uint8Array): Uint8Array {
  const table = Uint8Array.from(given)
  const view = new DataView(table.buffer)
  for (let entry = 0; entry < table.length; entry += TRAP_INFO_BYTES) {
    if (view.getBigUint64(entry + TRAP_ADDRESS, true) === 0n) continue
    view.setUint16(entry + TRAP_CS, view.getUint16(entry + TRAP_CS, true) | Number(RPL), true)
  }
  return table
}
