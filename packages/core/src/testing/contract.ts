/**
 * One thing that a contract asks of a plugin. It belongs to no test framework: `run` throws what is wrong, and returns
 * nothing where all is well.
 *
 * ```ts
 * for (const { title, skip, run } of hostContract({ … })) test(title, { skip }, run) // vitest; node:test is the same
 * ```
 */
export interface ContractCheck {
  /** Stable, for `except`: `all-or-nothing`. */
  readonly id: string
  /** A sentence that says what holds. */
  readonly title: string
  /** The author of the plugin excepts it, with a reason that stands in the title. */
  readonly skip: boolean
  run(): void
}

/** A contract is broken: the message says in which case, what was expected and what was found. */
export class ContractError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ContractError'
  }
}

/** What contracts take besides what they judge. */
export interface ContractOptions {
  /** Checks that do not apply, by id, each with the reason. */
  readonly except?: Readonly<Record<string, string>>
}

/**
 * Makes a contract of its checks: id, title and what to run. For packages that own a slot and say what its answers owe.
 *
 * @throws ContractError for an exception that names no check, or gives no reason
 */
export function contract(
  checks: readonly (readonly [id: string, title: string, run: () => void])[],
  { except = {} }: ContractOptions = {},
): readonly ContractCheck[] {
  for (const [id, reason] of Object.entries(except)) {
    if (!checks.some(([known]) => known === id)) {
      throw new ContractError(`there is no check "${id}"; there are ${checks.map(([known]) => known).join(', ')}`)
    }
    if (reason.trim() === '') throw new ContractError(`the exception of "${id}" has no reason`)
  }
  return checks.map(([id, title, run]) => {
    const reason = except[id]
    return {
      id,
      title: reason === undefined ? title : `${title} (not here: ${reason})`,
      skip: reason !== undefined,
      run,
    }
  })
}

/** Runs a contract and gives what is broken, as sentences; an empty list where nothing is. */
export function contractFindings(checks: readonly ContractCheck[]): string[] {
  const findings: string[] = []
  for (const { id, skip, run } of checks) {
    if (skip) continue
    try {
      run()
    } catch (error) {
      findings.push(`${id}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return findings
}

/** Throws a {@link ContractError} unless `holds`. */
export function must(holds: boolean, message: string | (() => string)): asserts holds {
  if (!holds) throw new ContractError(typeof message === 'string' ? message : message())
}

export const hexOf = (value: bigint): string => `0x${value.toString(16)}`
