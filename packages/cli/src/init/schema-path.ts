import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'

const SCHEMA = 'node_modules/@trapframe/cli/schema/scenario.schema.json'

/**
 * The path of the schema as a scenario in `folder` writes it: that of the nearest installation above, else where an
 * installation in `fallback` would have it.
 */
export function schemaPath(folder: string, fallback: string): string {
  const from = resolve(folder)
  for (let here = from; ; here = dirname(here)) {
    if (existsSync(join(here, SCHEMA))) return written(from, join(here, SCHEMA))
    if (dirname(here) === here) return written(from, join(resolve(fallback), SCHEMA))
  }
}

function written(from: string, to: string): string {
  const path = relative(from, to).split(sep).join('/')
  return path.startsWith('.') ? path : `./${path}`
}
