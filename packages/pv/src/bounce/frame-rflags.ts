import { IF, IOPL } from '@trapframe/core'
import type { PvContext } from '../context.js'
import { hasArchitecturalIopl } from '../state/vm-assist.js'

/** RFLAGS as the guest sees them: IF says whether events were unmasked, IOPL is there if the guest has asked for it. */
export function frameRflags(context: PvContext, mask: bigint): bigint {
  const { regs, vcpu } = context
  const flags = (regs.get('rflags') & ~BigInt(IF | IOPL)) | (mask === 0n ? BigInt(IF) : 0n)
  return hasArchitecturalIopl(context) ? flags | vcpu.get('iopl') : flags
}
