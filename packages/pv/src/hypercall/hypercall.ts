import type { PvContext } from '../context.js'

/** One hypercall: what a guest kernel asks for by SYSCALL with a number in RAX, arguments in RDI, RSI, RDX, R10, R8. */
export interface Hypercall {
  /** Its number in the public ABI. */
  readonly number: number
  /** Its name there, without `HYPERVISOR_`. */
  readonly name: string
  run(context: PvContext, args: readonly bigint[]): HypercallResult
}

/** A result for RAX (a negative errno, signed); none, for the registers are another context's now; or the domain's end. */
export type HypercallResult = number | bigint | 'no-result' | { readonly crash: string }

/** Results that say why not. */
export const EPERM = -1
export const ENOENT = -2
export const EACCES = -13
export const EFAULT = -14
export const ENODEV = -19
export const EINVAL = -22
export const ENOSYS = -38
