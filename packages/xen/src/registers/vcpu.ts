import type { Cpu } from '@trapframe/core'
import { type UserRegs, userRegsAt } from '../handlers/user-regs.js'
import type { CpuInfoLayout } from '../layout/cpu-info.js'
import {
  type DataSelector,
  dataSelectorOffset,
  type Field,
  type PlacedFields,
  placeFields,
  USER_REGS_BYTES,
} from '../layout/user-regs.js'
import { loadField, type StructView, storeField, viewStruct } from './struct-view.js'

/**
 * `struct vcpu` as far as it matters here: the registers of a vCPU that is scheduled out, and its pv_vcpu, where the data
 * selectors live since cpu_user_regs has no place for them (X11).
 */

const quad = (name: string): Field => ({ name, bytes: 8 })
const half = (name: string): Field => ({ name, bytes: 2 })

/** Room for cpu_user_regs with the data selectors of vm86 mode; without them the end stays empty. */
const SAVED_REGS_BYTES = 200

export const VCPU_FIELDS: readonly Field[] = [
  { name: 'user_regs', bytes: SAVED_REGS_BYTES },
  quad('flags'),
  ...['ds', 'es', 'fs', 'gs'].map(half),
  quad('fs_base'),
  quad('gs_base_kernel'),
  quad('gs_base_user'),
  quad('kernel_ss'),
  quad('kernel_sp'),
  quad('event_callback_eip'),
  quad('failsafe_callback_eip'),
  quad('syscall_callback_eip'),
  quad('vm_assist'),
  quad('iopl'),
  quad('ldt_base'),
  quad('ldt_ents'),
  quad('gdt_ents'),
  { name: 'gdt_frames', bytes: 128 },
  { name: 'ctrlreg', bytes: 64 },
  { name: 'debugreg', bytes: 64 },
  { name: 'fpu_ctxt', bytes: 512 },
]

const placed: PlacedFields = placeFields(VCPU_FIELDS)

/** Bytes of a struct vcpu that are taken; up to the trap table the page is free for plugins. */
export const VCPU_BYTES = placed.bytes
/** The trap table, 256 entries of 16 bytes, is the page behind. */
export const VCPU_TRAP_TABLE = 4096

/** Bits of `flags`: the guest's own kernel runs; the vCPU may run. */
export const TF_KERNEL_MODE = 1n
export const VCPU_RUNNABLE = 2n

/** A vCPU in simulated memory. */
export interface Vcpu extends StructView {
  /** The registers that it goes on with when it is scheduled in. */
  readonly userRegs: UserRegs
  /** A data selector, from where the layout keeps it: pv_vcpu, or cpu_user_regs with the selectors of vm86 mode. */
  selector(name: DataSelector): number
  setSelector(name: DataSelector, value: number): void
  /** The bytes of an array. */
  bytes(name: string): Uint8Array
  setBytes(name: string, bytes: Uint8Array): void
}

/** The vCPU whose struct lies at a linear address. */
export function vcpuAt(cpu: Cpu, address: bigint, layout: CpuInfoLayout): Vcpu {
  const view = viewStruct(cpu, address, placed)
  const place = (name: string): bigint => address + BigInt(placed.offsets.get(name)!)
  const home = (name: DataSelector): bigint =>
    layout.dataSelectors ? place('user_regs') + BigInt(dataSelectorOffset(name)) : place(name)
  return {
    ...view,
    userRegs: userRegsAt(cpu, place('user_regs')),
    selector: (name) => Number(loadField(cpu, home(name), 2)),
    setSelector: (name, value) => storeField(cpu, home(name), 2, BigInt(value)),
    bytes: (name) => cpu.space.read(place(name), placed.sizes.get(name)!),
    setBytes: (name, bytes) => cpu.space.write(place(name), bytes),
  }
}

/** Copies a frame of registers, without what lies above it. @throws #PF */
export function copyUserRegs(cpu: Cpu, from: bigint, to: bigint): void {
  for (let offset = 0; offset < USER_REGS_BYTES; offset += 8) {
    storeField(cpu, to + BigInt(offset), 8, loadField(cpu, from + BigInt(offset), 8))
  }
}
