import type { ArgsDef } from 'citty'
import { type Paint, pad, width } from '../terminal/style.js'
import type { CommandEntry } from './entry.js'
import { COMMANDS } from './tree.js'

type Rows = readonly (readonly [left: string, right: string])[]

/** Two columns, the left one painted. */
function rows(list: Rows, paint: Paint): string {
  const left = Math.max(...list.map(([text]) => width(text)))
  return list.map(([name, text]) => `  ${pad(paint('accent', name), left)}  ${text}\n`).join('')
}

const COMMON: Rows = [
  ['--help', 'this page, or the page of a command'],
  ['--version', 'the version'],
]

/** The page of `trapframe --help`. */
export function mainHelp(paint: Paint): string {
  const commands = Object.entries(COMMANDS).map(([name, entry]) => [name, entry.summary] as const)
  const examples = Object.values(COMMANDS).flatMap((entry) => entry.examples.slice(0, 1))
  return `trapframe: an executable laboratory for x86-64 event delivery, IDT and FRED side by side

${paint('strong', 'Usage')}
  trapframe COMMAND [OPTION…] [FILE…]

${paint('strong', 'Commands')}
${rows(commands, paint)}
${paint('strong', 'Options')}
${rows(COMMON, paint)}
${paint('strong', 'Examples')}
${rows(
  examples.map(([line, what]) => [line, what]),
  paint,
)}
${paint('strong', 'Exit codes')}
  0  everything held    1  an expectation failed    2  a scenario or the command line is wrong
  70  a defect of trapframe    130  ended by Ctrl-C
`
}

/** The page of `trapframe COMMAND --help`. */
export function commandHelp(name: string, entry: CommandEntry, definition: ArgsDef, paint: Paint): string {
  const options = Object.entries(definition).flatMap(([option, argument]) => {
    if (argument.type === 'positional') return []
    const value = argument.type === 'boolean' ? '' : ` ${argument.valueHint ?? option.toUpperCase()}`
    const preset = argument.default === undefined || argument.default === false ? '' : ` (default: ${argument.default})`
    const aliases = 'alias' in argument && argument.alias !== undefined ? [argument.alias].flat() : []
    const short = aliases.map((alias) => `-${alias}, `).join('')
    return [[`${short}--${option}${value}`, `${argument.description ?? ''}${preset}`] as const]
  })
  return `trapframe ${name}: ${entry.summary}

${paint('strong', 'Usage')}
  trapframe ${name} [OPTION…]${entry.operands === '' ? '' : ` ${entry.operands}`}

${paint('strong', 'Options')}
${rows([...options, ['--help', 'this page']], paint)}
${paint('strong', 'Examples')}
${rows(entry.examples, paint)}`
}
