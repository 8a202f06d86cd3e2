import { Fault, loadSegment, type SegmentNumber, VECTOR_PF } from '@trapframe/core'
import type { PvContext } from '../context.js'
import { mapLdtPageAt } from './ldt.js'

/**
 * MOV to a data segment register by Xen, with a selector of the guest's. The page of the LDT that this takes is brought in
 * if it is not there yet. Null when it is loaded, else the fault that stands against it.
 */
export function tryLoadSegment(context: PvContext, n: SegmentNumber, selector: number): Fault | null {
  for (;;) {
    try {
      loadSegment(context.cpu, n, selector)
      return null
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown
      if (thrown.vector !== VECTOR_PF || !mapLdtPageAt(context, faultAddress(thrown))) return thrown
    }
  }
}

/** The linear address of a #PF. */
export const faultAddress = ({ dataLo, dataHi }: Fault): bigint => (BigInt(dataHi >>> 0) << 32n) | BigInt(dataLo >>> 0)
