import type { PvContext } from '../context.js'
import { GuestFault } from '../guest-memory.js'

/** One hypercall: what a guest's kernel asks for by a number, with arguments. */
export interface Hypercall {
  /** Its number in the public ABI. */
  readonly number: number
  /** Its name there, without `HYPERVISOR_`. */
  readonly name: string
  run(context: PvContext, args: readonly bigint[]): HypercallResult
}

/** A result for RAX (a negative errno, signed), or the domain's end. */
export type HypercallResult = number | bigint | { readonly crash: string }

/** Results that say why not. */
export const EPERM = -1
export const ENOENT = -2
export const EACCES = -13
export const EFAULT = -14
export const ENODEV = -19
export const EINVAL = -22
export const ENOSYS = -38

/** The result, or EFAULT where an argument cannot be read. */
export function reading<T>(run: () => T): T | typeof EFAULT {
  try {
    return run()
  } catch (thrown) {
    if (thrown instanceof GuestFault) return EFAULT
    throw thrown
  }
}
