import { MachineError } from '@trapframe/core'
import type { SearchOptions } from '../search/options.js'

/** Workers go level by level. @throws MachineError for a strategy that has no levels */
export function requireBreadthFirst({ strategy = 'breadth-first' }: SearchOptions): void {
  if (strategy === 'breadth-first') return
  throw new MachineError('search-range', `a search ${strategy} has one thread`, { hint: 'search breadth first' })
}
