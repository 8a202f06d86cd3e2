import { FLAT_USER_CS64, FLAT_USER_SS, TRAP_SYSCALL } from '@trapframe/xen'
import type { PvContext } from '../context.js'
import { GuestFault } from '../guest-memory.js'

const SLOT = 8n
/** A frame begins where a stack is aligned for the code that it goes to. */
const STACK_ALIGNMENT = 16n
export const RPL = 3n
export const SELECTOR = 0xffffn
/** saved_upcall_mask lies in bits 39:32 of the CS slot. */
export const MASK_SHIFT = 32n

/** Where a frame on a guest's kernel stack begins, downward. */
export const alignStack = (rsp: bigint): bigint => rsp & ~(STACK_ALIGNMENT - 1n)

/**
 * Writes quadwords below `rsp` with `store`, the first one highest. The address of the last; null where one could not be
 * written, which `crash_address` then tells.
 */
export function pushFrame(
  { pv }: PvContext,
  rsp: bigint,
  slots: readonly bigint[],
  store: (address: bigint, value: bigint) => void,
): bigint | null {
  const frame = BigInt.asUintN(64, rsp - SLOT * BigInt(slots.length))
  try {
    slots.forEach((value, i) => {
      store(frame + SLOT * BigInt(slots.length - 1 - i), value)
    })
    return frame
  } catch (thrown) {
    if (!(thrown instanceof GuestFault)) throw thrown
    pv.set('crash_address', thrown.address)
    return null
  }
}

/** The registers with which the guest's kernel starts on a frame: flat segments, RFLAGS without `cleared`, RIP left to the caller. */
export function enterGuestKernel({ regs }: PvContext, frame: bigint, cleared: bigint): void {
  regs.set('entry_vector', regs.get('entry_vector') | BigInt(TRAP_SYSCALL))
  regs.set('rflags', regs.get('rflags') & ~cleared)
  regs.set('ss', BigInt(FLAT_USER_SS))
  regs.set('rsp', frame)
  regs.set('cs', BigInt(FLAT_USER_CS64))
}
