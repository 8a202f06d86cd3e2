import { PAGE_SIZE, PAGE_USER, PAGE_WRITABLE } from '@trapframe/core'
import type { PvContext } from '../context.js'

const PAGE = BigInt(PAGE_SIZE)
const DESCRIPTOR_BYTES = 8

/**
 * Whether a page of physical memory is the guest's: such a page is mapped to itself, for guests. Everything else is Xen's.
 */
export function isGuestFrame({ cpu }: PvContext, physical: bigint): boolean {
  const page = physical & ~(PAGE - 1n)
  return (cpu.space.flagsAt(page) & PAGE_USER) !== 0 && cpu.space.physicalAt(page) === page
}

/**
 * Takes a page of the guest's for descriptors: the guest may not be able to write to it, and every descriptor is audited and
 * put right. False if the page cannot be had or one of them is refused.
 */
export function takeDescriptorPage(context: PvContext, physical: bigint): boolean {
  const { cpu, checks } = context
  if (!isGuestFrame(context, physical) || (cpu.space.flagsAt(physical) & PAGE_WRITABLE) !== 0) return false
  for (let offset = 0n; offset < PAGE; offset += BigInt(DESCRIPTOR_BYTES)) {
    const descriptor = cpu.space.read64(physical + offset)
    const audited = checks.audit(descriptor)
    if (audited === null) return false
    if (audited !== descriptor) cpu.space.write64(physical + offset, audited)
  }
  return true
}
