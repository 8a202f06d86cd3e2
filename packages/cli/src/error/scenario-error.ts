import { readFile } from 'node:fs/promises'
import { type Place, UserError } from '@trapframe/core'

/** A mistake in a scenario, at its place. */
export class ScenarioError extends UserError {
  constructor(message: string, place: Place | undefined, hint?: string, cause?: unknown) {
    super('scenario', message, {
      ...(place === undefined ? {} : { place }),
      ...(hint === undefined ? {} : { hint }),
      ...(cause === undefined ? {} : { cause }),
    })
  }
}

/** Every mistake that was found in one scenario, in the order of the file. */
export class ScenarioErrors extends UserError {
  readonly errors: readonly UserError[]
  readonly file: string
  /** The text that was read. */
  readonly source: string

  constructor(file: string, source: string, errors: readonly UserError[]) {
    super('scenario', errors.map((error) => error.message).join('; '))
    this.file = file
    this.source = source
    this.errors = [...errors].sort((a, b) => position(a) - position(b))
  }
}

const position = ({ place }: UserError): number => (place === undefined ? 0 : place.line * 100_000 + place.column)

/** The text that a place points into; undefined where there is none, as in a compressed file. */
export async function readSource(file: string | undefined, errors?: ScenarioErrors): Promise<string | undefined> {
  if (file === undefined) return undefined
  if (errors?.file === file) return errors.source
  const bytes = await readFile(file).catch(() => undefined)
  return bytes === undefined || bytes.includes(0) ? undefined : bytes.toString('utf8')
}
