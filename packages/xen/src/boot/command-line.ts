import { parseBoolean, parseNamedBoolean } from './boolean.js'

/** What a command line says; an option that it leaves unset is undefined. */
export interface CommandLine {
  fred?: boolean
  /** `pv-shim` in Xen, `pvshim` in the RFC. */
  pvShim?: boolean
  /** `pv=32` and `pv=no-32`. */
  pv32?: boolean
  /** `cet=shstk` and `cet=ibt`; `cet=0` is both. */
  shadowStacks?: boolean
  ibt?: boolean
  smap?: boolean
  smep?: boolean
}

/** Options that are booleans of their own. */
const BOOLEANS: Readonly<Record<string, keyof CommandLine>> = {
  fred: 'fred',
  'pv-shim': 'pvShim',
  pvshim: 'pvShim',
  smap: 'smap',
  smep: 'smep',
}

/** Options that are lists: what each item may set. */
const LISTS: Readonly<Record<string, Readonly<Record<string, keyof CommandLine>>>> = {
  pv: { '32': 'pv32' },
  cet: { shstk: 'shadowStacks', ibt: 'ibt' },
}

/** Lists that may be one boolean for all of their items. */
const WHOLE: ReadonlySet<string> = new Set(['cet'])

/**
 * Reads a command line as Xen does: words between blanks, `name`, `no-name` or `name=value`; the last one wins, unknown
 * ones are passed over, and a value that is no boolean sets nothing.
 */
export function parseCommandLine(text: string): CommandLine {
  const parsed: CommandLine = {}
  for (const word of text.split(/\s+/)) {
    const equals = word.indexOf('=')
    const written = equals < 0 ? word : word.slice(0, equals)
    const value = equals < 0 ? '' : word.slice(equals + 1)
    const negated = written.startsWith('no-')
    const name = negated ? written.slice(3) : written
    const field = BOOLEANS[name]
    if (field !== undefined) {
      const said = value === '' ? true : parseBoolean(value)
      if (said !== undefined) parsed[field] = said !== negated
      continue
    }
    const list = LISTS[name]
    if (list !== undefined) readList(parsed, list, WHOLE.has(name), negated ? 'no' : value)
  }
  return parsed
}

function readList(
  parsed: CommandLine,
  fields: Readonly<Record<string, keyof CommandLine>>,
  whole: boolean,
  text: string,
): void {
  for (const item of text.split(',')) {
    const all = whole ? parseBoolean(item) : undefined
    for (const [name, field] of Object.entries(fields)) {
      const said = all ?? parseNamedBoolean(name, item)
      if (said !== undefined) parsed[field] = said
    }
  }
}
