import { VECTOR_PF } from '@trapframe/core'
import type { PvContext } from '../context.js'
import { GuestFault, loadGuest } from '../guest-memory.js'
import { emulateCpuid } from './cpuid.js'
import { conclude, DONE, raises } from './outcome.js'

/** Xen's forced-emulation prefix, UD2 and "xen"; and the only instruction that may follow it. */
const PREFIX = [0x0f, 0x0b, 0x78, 0x65, 0x6e] as const
const CPUID = [0x0f, 0xa2] as const

/**
 * emulate_forced_invalid_op: CPUID behind Xen's prefix shows the CPU as Xen wants the guest to see it, which CPUID itself,
 * in ring 3, does not ask Xen about. True when it was that, or became a #PF; false when the #UD is the guest's.
 */
export function emulateInvalidOp(context: PvContext): boolean {
  const rip = context.regs.get('rip')
  try {
    if (![...PREFIX, ...CPUID].every((byte, n) => loadGuest(context, rip + BigInt(n), 1) === BigInt(byte))) return false
  } catch (thrown) {
    if (!(thrown instanceof GuestFault)) throw thrown
    return conclude(context, raises(VECTOR_PF, 0, thrown.address), 0, true)
  }
  emulateCpuid(context)
  return conclude(context, DONE, PREFIX.length + CPUID.length, true)
}
