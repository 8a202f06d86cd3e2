import { PAGE_SIZE, PAGE_WRITABLE } from '@trapframe/core'
import { isCompat, type PvContext } from '../context.js'
import { readDescriptor, writeDescriptor } from './guest-frame.js'

const PAGE = BigInt(PAGE_SIZE)
const DESCRIPTOR_BYTES = 8

/**
 * Takes a page of the guest's for descriptors: the guest may not be able to write to it, and every descriptor is audited and
 * put right. False if the page cannot be had or one of them is refused.
 */
export function takeDescriptorPage(context: PvContext, physical: bigint): boolean {
  const { cpu, checks } = context
  if (!checks.isGuestFrame(cpu, physical) || (cpu.space.flagsAt(physical) & PAGE_WRITABLE) !== 0) return false
  if (!checks.auditsPages) return true
  for (let offset = 0n; offset < PAGE; offset += BigInt(DESCRIPTOR_BYTES)) {
    const descriptor = readDescriptor(cpu, physical + offset)
    const audited = checks.audit(descriptor, isCompat(context))
    if (audited === null) return false
    if (audited !== descriptor) writeDescriptor(cpu, physical + offset, audited)
  }
  return true
}
