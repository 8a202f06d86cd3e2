import { type Descriptor, Fault, readDescriptor } from '@trapframe/core'
import type { PvContext } from '../context.js'

/** The descriptor of a selector in the guest's tables; null outside of them, or where the table is not there. */
export function descriptorOf({ cpu }: Pick<PvContext, 'cpu'>, selector: number): Descriptor | null {
  try {
    return readDescriptor(cpu, selector)
  } catch (thrown) {
    if (thrown instanceof Fault) return null
    throw thrown
  }
}
