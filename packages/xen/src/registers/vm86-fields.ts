import type { Cpu } from '@trapframe/core'
import type { UserRegs } from '../handlers/user-regs.js'
import type { CpuInfoLayout } from '../layout/cpu-info.js'
import { FLAT_USER_CS64, FLAT_USER_SS } from '../layout/selectors.js'
import { DATA_SELECTORS, type DataSelector, dataSelectorOffset } from '../layout/user-regs.js'
import { liveSelectors } from './live-selectors.js'
import { loadField, storeField } from './struct-view.js'
import type { Vcpu } from './vcpu.js'

/**
 * The five uses that the data selectors of vm86 mode had in Xen's own cpu_user_regs (X11, X12). The context switch is in
 * `segments.ts`, the report of a CPU's registers in `diagnostics`; here are the others, in both forms: with a layout that has the fields, as Xen was before FRED, and
 * without, as it is since.
 */

/**
 * arch_get_info_guest, arch_set_info_guest and the dom0 builder fill a vCPU that has never run. What the builder writes:
 * null data segments, which is what a 64-bit kernel starts with, at an entry point and a stack (X11).
 */
export function constructDom0Vcpu(vcpu: Vcpu, entry: bigint, stack: bigint): void {
  const { userRegs } = vcpu
  userRegs.set('rip', entry)
  userRegs.set('rsp', stack)
  userRegs.set('cs', BigInt(FLAT_USER_CS64))
  userRegs.set('ss', BigInt(FLAT_USER_SS))
  userRegs.set('rflags', 0x202n)
  for (const name of DATA_SELECTORS) vcpu.setSelector(name, 0)
}

/** What Xen fills fields of cpu_user_regs with that mean nothing while an HVM guest runs. */
const HVM_POISON = 0xbeefn

/**
 * hvm_sanitize_regs_fields, after a VM exit in a debug build: CS, SS and what else the hardware keeps elsewhere are made
 * recognisable nonsense. With the fields of vm86 mode they too were poisoned; without them those bytes belong to
 * fred_info and must be left alone.
 */
export function sanitizeHvmRegs(cpu: Cpu, regs: UserRegs, layout: CpuInfoLayout): void {
  regs.set('error_code', HVM_POISON)
  regs.set('entry_vector', HVM_POISON)
  regs.set('cs', HVM_POISON)
  regs.set('ss', HVM_POISON)
  if (!layout.dataSelectors) return
  for (const name of DATA_SELECTORS) storeField(cpu, fieldOf(regs, name), 2, HVM_POISON)
}

/**
 * put_fpu of the instruction emulator: the selector that it records beside an FPU operand's address. With the fields it took
 * those of the frame, which neither an entry path nor a context switch ever fills: whatever lay there (X11). Without them
 * there is nothing stale to take, and it asks for the segment itself.
 */
export function fpuDataSelector(cpu: Cpu, regs: UserRegs, name: DataSelector, layout: CpuInfoLayout): number {
  return layout.dataSelectors ? Number(loadField(cpu, fieldOf(regs, name), 2)) : liveSelectors(cpu)[name]
}

const fieldOf = (regs: UserRegs, name: DataSelector): bigint => regs.address + BigInt(dataSelectorOffset(name))
