import { EFER, EFER_LMA, EFER_LME, EFER_NXE, EFER_SCE, Fault, FS_BASE, readMsr, writeMsr } from '@trapframe/core'
import { readTimeStamp } from '@trapframe/isa'
import type { PvContext } from '../context.js'

/** RDMSR and WRMSR of a guest's kernel. What is not here is not the guest's, whether the CPU has it or not (P3). */

const IA32_TIME_STAMP_COUNTER = 0x10
const IA32_APIC_BASE = 0x1b
const IA32_EFER = 0xc000_0080
const IA32_FS_BASE = 0xc000_0100
const IA32_GS_BASE = 0xc000_0101
const IA32_KERNEL_GS_BASE = 0xc000_0102
export const IA32_TSC_AUX = 0xc000_0103

/** The local APIC where it always is, enabled; of the first vCPU as of the one that boots. */
const APIC_ENABLED = 0xfee0_0800n
const APIC_BOOT_CPU = 0x100n
/** Bits of EFER that guests know. */
const EFER_SHOWN = BigInt(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

/** The value of an MSR; null where the guest has none. */
export function readGuestMsr({ cpu, gs }: PvContext, index: number): bigint | null {
  switch (index) {
    case IA32_FS_BASE:
      return cpu.get64(FS_BASE)
    case IA32_GS_BASE:
      return gs.active(cpu)
    case IA32_KERNEL_GS_BASE:
      return gs.inactive(cpu)
    case IA32_EFER:
      return cpu.get64(EFER) & EFER_SHOWN
    case IA32_APIC_BASE:
      return APIC_ENABLED | (cpu.id === 0 ? APIC_BOOT_CPU : 0n)
    case IA32_TIME_STAMP_COUNTER:
      return readTimeStamp(cpu)
    case IA32_TSC_AUX:
      return readMsr(cpu, index)
    default:
      return null
  }
}

/** Writes an MSR; false where the guest has none, or may not have the value. */
export function writeGuestMsr(context: PvContext, index: number, value: bigint): boolean {
  const { cpu, vcpu, pv, checks, gs } = context
  switch (index) {
    case IA32_FS_BASE:
      if (!checks.canonical(cpu, value)) return false
      writeMsr(cpu, index, value)
      return true
    case IA32_GS_BASE:
      if (!checks.canonical(cpu, value)) return false
      gs.setActive(cpu, value)
      return true
    case IA32_KERNEL_GS_BASE:
      if (!checks.canonical(cpu, value)) return false
      gs.setInactive(cpu, value)
      vcpu.set('gs_base_user', value)
      return true
    case IA32_EFER:
      // Nothing can be changed, but what it holds may be written back.
      return value === readGuestMsr(context, index)
    case IA32_TSC_AUX:
      if (!accepted(() => writeMsr(cpu, index, value))) return false
      pv.set('tsc_aux', value)
      return true
    default:
      return false
  }
}

function accepted(write: () => void): boolean {
  try {
    write()
    return true
  } catch (thrown) {
    if (thrown instanceof Fault) return false
    throw thrown
  }
}
