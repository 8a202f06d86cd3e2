import { CR0, CR0_TS } from '@trapframe/core'
import type { PvContext } from '../context.js'
import { setTaskSwitched, taskSwitched } from '../fpu/task-switched.js'
import { readElement, writeElement } from '../state/vcpu-array.js'
import { guestCr4, setGuestCr4 } from './guest-cr4.js'

/** The control registers as a guest's kernel reads and writes them by MOV, which Xen emulates. */

/** What MOV from CRn reads; null for a register that a guest has not. */
export function readGuestControl(context: PvContext, n: number): bigint | null {
  const { cpu, vcpu } = context
  switch (n) {
    case 0:
      return (cpu.get64(CR0) & ~BigInt(CR0_TS)) | (taskSwitched(context) ? BigInt(CR0_TS) : 0n)
    case 2:
    case 3:
      return readElement(vcpu, 'ctrlreg', n)
    case 4:
      return guestCr4(context)
    default:
      return null
  }
}

/**
 * What MOV to CRn does; whether it may. Of CR0 only TS can be changed. CR3 takes what it has: the guest's page tables are not
 * in simulated memory, and there are no others that it could name.
 */
export function writeGuestControl(context: PvContext, n: number, value: bigint): boolean {
  const { cpu, vcpu, info } = context
  switch (n) {
    case 0:
      if (((value ^ cpu.get64(CR0)) & ~BigInt(CR0_TS)) !== 0n) return false
      setTaskSwitched(context, (value & BigInt(CR0_TS)) !== 0n)
      return true
    case 2:
      writeElement(vcpu, 'ctrlreg', 2, value)
      info.set('cr2', value)
      return true
    case 3:
      return value === readElement(vcpu, 'ctrlreg', 3)
    case 4:
      setGuestCr4(context, value)
      return true
    default:
      return false
  }
}
