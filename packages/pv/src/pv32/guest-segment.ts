import { FS } from '@trapframe/core'
import type { PvContext } from '../context.js'
import { GuestFault } from '../guest-memory.js'
import { faultAddress, tryLoadSegment } from '../segment/load-segment.js'

/**
 * Base of a guest's data segment as Xen gets it: by loading FS with the selector and taking it back afterwards. In 64-bit
 * mode the limit does not count, and null is a segment from 0.
 *
 * @throws GuestFault for a selector that cannot be loaded
 */
export function dataSegmentBase(context: PvContext, selector: number): bigint {
  const { cpu } = context
  const before = cpu.segment(FS)
  try {
    const fault = tryLoadSegment(context, FS, selector)
    if (fault !== null) throw new GuestFault(faultAddress(fault))
    return cpu.segment(FS).base
  } finally {
    cpu.setSegment(FS, before)
  }
}
