import { UsageError } from '../error/usage-error.js'

/** An option of a host as the command line has it, `ist=false`, as name and value. @throws UsageError without a `=` */
export function parseOption(written: string): [name: string, value: unknown] {
  const equals = written.indexOf('=')
  if (equals < 1)
    throw new UsageError(`"${written}" is no option of a host`, 'write --option NAME=VALUE, such as --option ist=false')
  const value = written.slice(equals + 1)
  const known: Readonly<Record<string, boolean>> = { true: true, false: false }
  return [written.slice(0, equals), known[value] ?? (/^[0-9]+$/.test(value) ? Number(value) : value)]
}
