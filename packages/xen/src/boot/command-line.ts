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

/** Options that are plain booleans: `no-` and a value may both be there, and turn each other round. */
const BOOLEANS: Readonly<Record<string, keyof CommandLine>> = {
  fred: 'fred',
  'pv-shim': 'pvShim',
  pvshim: 'pvShim',
}

/** Options with a parser of their own: it is given the value, or `no` for `no-name`; the two together set nothing. */
const PARSERS: Readonly<Record<string, (parsed: CommandLine, value: string) => void>> = {
  pv: (parsed, value) => readList(parsed, { '32': 'pv32' }, false, value),
  cet: (parsed, value) => readList(parsed, { shstk: 'shadowStacks', ibt: 'ibt' }, true, value),
  smap: (parsed, value) => readProtection(parsed, 'smap', value),
  smep: (parsed, value) => readProtection(parsed, 'smep', value),
}

/**
 * Reads a command line as Xen does: words between blanks, `name`, `no-name` or `name=value`; the last one wins, unknown
 * ones are passed over, and a value that is no boolean sets nothing. What follows ` -- ` is dom0's.
 */
export function parseCommandLine(text: string): CommandLine {
  const parsed: CommandLine = {}
  for (const word of text.split(DOM0, 1)[0]!.split(' ')) readWord(parsed, word.trimStart())
  return parsed
}

/** What separates Xen's options from those of dom0's kernel. */
const DOM0 = ' -- '

/** A command line with more options at the end of Xen's own, where they win. */
export function withOptions(text: string, ...options: readonly string[]): string {
  const end = text.indexOf(DOM0)
  const own = end < 0 ? text : text.slice(0, end)
  return [...(own === '' ? [] : [own]), ...options].join(' ') + (end < 0 ? '' : text.slice(end))
}

function readWord(parsed: CommandLine, word: string): void {
  const equals = word.indexOf('=')
  const written = equals < 0 ? word : word.slice(0, equals)
  const value = equals < 0 ? '' : word.slice(equals + 1)
  const negated = written.startsWith('no-')
  const name = negated ? written.slice(3) : written
  if (Object.hasOwn(BOOLEANS, name)) {
    const said = value === '' ? true : parseBoolean(value)
    if (said !== undefined) parsed[BOOLEANS[name]!] = said !== negated
  } else if (Object.hasOwn(PARSERS, name) && !(negated && value !== '')) {
    PARSERS[name]!(parsed, negated ? 'no' : value)
  }
}

/** Items between commas, each a boolean by name; where `whole` says so an item may be one boolean for all of them. */
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

/** SMAP and SMEP: a boolean, nothing for true, or `hvm`: for HVM guests and not for Xen itself. */
function readProtection(parsed: CommandLine, field: 'smap' | 'smep', value: string): void {
  const said = value === '' ? true : value === 'hvm' ? false : parseBoolean(value)
  if (said !== undefined) parsed[field] = said
}
