import type { UserError } from '@trapframe/core'
import { ScenarioError, ScenarioErrors } from '../error/scenario-error.js'
import type { Problem } from './issues.js'
import { LIMITS } from './limits.js'
import type { Places } from './place.js'

/**
 * Collects the mistakes of one scenario. What several cells get wrong in the same way is one mistake; what only some of
 * them get wrong is told with the first of these. What is wrong beyond a number of mistakes is not told.
 */
export class Problems {
  readonly #places: Places
  readonly #errors = new Map<string, { error: UserError; cells: string[] }>()

  constructor(places: Places) {
    this.#places = places
  }

  /** @param cell name of the cell that it was met in; left out, it has nothing to do with cells */
  add(problem: Problem, cell?: string): void {
    if (this.#errors.size >= LIMITS.mistakes) return
    const { path, at, message, hint } = problem
    const place = at === 'key' ? this.#places.key(path) : this.#places.value(path)
    this.addError(new ScenarioError(message, place, hint), cell)
  }

  /** A mistake that already knows its place. */
  addError(error: UserError, cell?: string): void {
    const key = `${error.place?.line}:${error.place?.column}:${error.message}`
    if (this.#errors.size >= LIMITS.mistakes && !this.#errors.has(key)) return
    const entry = this.#errors.get(key) ?? { error, cells: [] }
    if (cell !== undefined) entry.cells.push(cell)
    this.#errors.set(key, entry)
  }

  get any(): boolean {
    return this.#errors.size > 0
  }

  /** @throws ScenarioErrors when there are any */
  throwIfAny(cells = 0): void {
    if (!this.any) return
    const errors = [...this.#errors.values()].map(({ error, cells: met }) =>
      met.length === 0 || met.length >= cells ? error : inCell(error, met[0]!),
    )
    throw new ScenarioErrors(this.#places.file, this.#places.source, errors)
  }
}

function inCell(error: UserError, cell: string): UserError {
  return new ScenarioError(`${error.message} (in cell ${cell})`, error.place, error.hint, error)
}
