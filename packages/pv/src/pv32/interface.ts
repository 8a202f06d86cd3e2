import { CR4, CR4_SMAP, CR4_SMEP } from '@trapframe/core'
import { type PvAnswer, type PvEvent, TRAP_SYSCALL } from '@trapframe/xen'
import type { PvContext } from '../context.js'
import { handleException } from '../entry/exception.js'
import { handleSoftwareInterrupt } from '../entry/software-interrupt.js'
import { handleSyscall32, handleSysenter } from '../entry/syscall.js'
import { callCompatHypervisor } from './hypercalls.js'
import { FLAT_RING3_CS, FLAT_RING3_SS } from './selectors.js'

/** The hypercall of 32-bit guests: the gate's DPL is 1, so that only ring 1 comes this way. */
const VECTOR_HYPERCALL = 0x82

/** What a 32-bit guest asked for or ran into. Where it differs from a 64-bit one: hypercalls, and the segments of handlers. */
export function handleCompat(context: PvContext, event: PvEvent): PvAnswer {
  switch (event.kind) {
    case 'software-interrupt':
      if (event.vector === VECTOR_HYPERCALL) return callCompatHypervisor(context)
      handleSoftwareInterrupt(context, event.vector, event.length)
      return 'resume'
    case 'exception':
      return handleException(context, event)
    case 'sysenter':
      leaveSyscall(context)
      context.pv.set('bounce_cs', context.pv.get('sysenter_callback_cs'))
      return handleSysenter(context)
    default:
      leaveSyscall(context)
      context.regs.set('cs', BigInt(FLAT_RING3_CS))
      context.pv.set('bounce_cs', context.pv.get('syscall32_callback_cs'))
      return handleSyscall32(context, event.length)
  }
}

/** The entry code has named the segments of 64-bit guests, and noted that SYSRET could be the way back: to ring 1 it is not. */
function leaveSyscall({ regs }: PvContext): void {
  regs.set('ss', BigInt(FLAT_RING3_SS))
  regs.set('entry_vector', regs.get('entry_vector') & ~BigInt(TRAP_SYSCALL))
}

const WITHHELD = BigInt(CR4_SMEP | CR4_SMAP)

/**
 * To the CPU ring 1 is supervisor code, and the guest's pages are user pages: with SMEP it could not run from them, with SMAP
 * not touch them. So the CPU does without both while the guest runs (cr4_pv32_mask). What keeps the guest's kernel from
 * Xen's pages, which as supervisor code it could use, is that they lie above what 32 bits reach.
 */
export function withholdProtection({ cpu, pv }: PvContext): void {
  const withheld = cpu.cr4 & WITHHELD
  if (withheld === 0n) return
  pv.set('cr4_withheld', withheld)
  cpu.setControl(CR4, cpu.cr4 & ~withheld)
}

/** cr4_pv32_restore: Xen has them again. */
export function restoreProtection({ cpu, pv }: PvContext): void {
  const withheld = pv.get('cr4_withheld')
  if (withheld === 0n) return
  pv.set('cr4_withheld', 0n)
  cpu.setControl(CR4, cpu.cr4 | withheld)
}
