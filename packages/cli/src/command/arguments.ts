import type { ArgDef, ArgsDef } from 'citty'
import { UsageError } from '../error/usage-error.js'
import type { CommandEntry } from './entry.js'
import { nearest, suggestion } from './suggest.js'

/** Options that every command has. */
export const COMMON_OPTIONS = ['help', 'version'] as const

const names = (name: string, argument: ArgDef): string[] => [
  name,
  ...('alias' in argument && argument.alias !== undefined ? [argument.alias].flat() : []),
]

/**
 * Checks a command's arguments against its definition before citty reads them, which lets every mistake pass.
 *
 * @throws UsageError for an option that does not exist or lacks its value, and for too few or too many operands
 */
export function checkArguments(name: string, entry: CommandEntry, definition: ArgsDef, given: readonly string[]): void {
  const options = new Map<string, readonly [string, ArgDef]>()
  for (const [option, argument] of Object.entries(definition)) {
    if (argument.type === 'positional') continue
    for (const spelling of names(option, argument)) options.set(spelling, [option, argument])
  }
  const operands: string[] = []
  for (let i = 0; i < given.length; i++) {
    const word = given[i]!
    if (word === '--') {
      operands.push(...given.slice(i + 1))
      break
    }
    if (!word.startsWith('-') || word === '-') {
      operands.push(word)
      continue
    }
    const equals = word.indexOf('=')
    const written = equals < 0 ? word : word.slice(0, equals)
    const value = equals < 0 ? undefined : word.slice(equals + 1)
    const found = options.get(written.replace(/^--?/, ''))
    if (found === undefined || (written.startsWith('--') && written.length === 3))
      throw unknownOption(name, written, options.keys())
    const [option, argument] = found
    if (argument.type === 'boolean') {
      if (value !== undefined) throw new UsageError(`--${option} takes no value, and "${value}" was given`)
      continue
    }
    const taken = value ?? given[i + 1]
    if (taken === undefined || (value === undefined && taken.startsWith('-') && taken !== '-')) {
      throw new UsageError(`--${option} needs a value`, valueHint(option, argument))
    }
    if (value === undefined) i++
    if (argument.type === 'enum' && argument.options && !argument.options.includes(taken)) {
      throw new UsageError(`--${option} cannot be "${taken}"`, suggestion(taken, argument.options, 'possible'))
    }
  }
  const [least, most] = entry.count
  if (operands.length < least) throw new UsageError(`"${name}" needs ${entry.operands}`, example(entry))
  if (operands.length > most) {
    const extra = operands[most]!
    const what = most === 0 ? 'takes no operands' : `takes one ${entry.operands}`
    throw new UsageError(`"${name}" ${what}, and "${extra}" is too much`, example(entry))
  }
}

function unknownOption(command: string, written: string, options: Iterable<string>): UsageError {
  const all = [...options, ...COMMON_OPTIONS].filter((option) => option.length > 1)
  const near = nearest(written.replace(/^-+/, ''), all)
  return new UsageError(
    `unknown option "${written}" of "${command}"`,
    near === undefined ? `"trapframe ${command} --help" lists its options` : `did you mean "--${near}"?`,
  )
}

function valueHint(option: string, argument: ArgDef): string | undefined {
  if (argument.type === 'enum' && argument.options) return `possible: ${argument.options.join(', ')}`
  return argument.type === 'string' && argument.valueHint ? `write --${option} ${argument.valueHint}` : undefined
}

const example = (entry: CommandEntry): string | undefined =>
  entry.examples[0] === undefined ? undefined : `for example: ${entry.examples[0][0]}`

/**
 * Every value of an option that may be given several times, in order; citty keeps only the last.
 *
 * @param alias its short form, without the dash
 */
export function repeated(given: readonly string[], option: string, alias?: string): string[] {
  const spellings = [`--${option}`, ...(alias === undefined ? [] : [`-${alias}`])]
  const values: string[] = []
  for (let i = 0; i < given.length && given[i] !== '--'; i++) {
    const word = given[i]!
    const spelling = spellings.find((one) => word === one || word.startsWith(`${one}=`))
    if (spelling === undefined) continue
    values.push(word === spelling ? given[++i]! : word.slice(spelling.length + 1))
  }
  return values
}
