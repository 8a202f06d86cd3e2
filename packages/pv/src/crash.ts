import type { PvContext } from './context.js'

/** Why Xen stops a domain on behalf of its PV interface: bad state of the guest that no handler of its own can be told of. */

export const CRASH_NULL_HANDLER = 'handler address is zero'
export const CRASH_FRAME_FAULT = 'fault while writing the bounce frame'
export const CRASH_BAD_STACK = 'stack pointer lies in the hypervisor range'
export const CRASH_IRET_FRAME = 'iret frame cannot be read'
export const CRASH_FAILSAFE_FRAME = 'fault while writing the failsafe frame'

/** The address at which writing a frame on the guest's stack failed last. */
export const crashAddress = ({ pv }: Pick<PvContext, 'pv'>): bigint => pv.get('crash_address')
