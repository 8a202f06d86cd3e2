import { Fault, FS, loadSegment, VECTOR_PF } from '@trapframe/core'
import type { PvContext } from '../context.js'
import { GuestFault } from '../guest-memory.js'
import { mapLdtPageAt } from '../segment/ldt.js'

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
    load(context, selector)
    return cpu.segment(FS).base
  } finally {
    cpu.setSegment(FS, before)
  }
}

function load(context: PvContext, selector: number): void {
  for (;;) {
    try {
      return loadSegment(context.cpu, FS, selector)
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown
      const address = (BigInt(thrown.dataHi >>> 0) << 32n) | BigInt(thrown.dataLo >>> 0)
      if (thrown.vector !== VECTOR_PF || !mapLdtPageAt(context, address)) throw new GuestFault(address)
    }
  }
}
