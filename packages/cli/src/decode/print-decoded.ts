import { existsSync, readFileSync, statSync } from 'node:fs'
import { createMachine, type Plugin } from '@trapframe/core'
import { EXIT_OK, type ExitCode } from '../command/exit.js'
import { UsageError } from '../error/usage-error.js'
import { toJson } from '../report/json.js'
import { painter } from '../terminal/style.js'
import type { Terminal } from '../terminal/terminal.js'
import { drawFindings } from './draw.js'
import { PANIC_DECODERS, type PanicDecoder } from './panic.js'
import { panicDecoders } from './plugin.js'
import { recognise } from './recognise.js'

export interface DecodeOptions {
  /** Text, or files that hold it; none for standard input. */
  readonly operands: readonly string[]
  readonly modules: readonly string[]
  readonly json: boolean
}

/** More than any log of a panic; what is longer is a mistake. */
const MOST_BYTES = 64 << 20

/** Explains what it is given. @throws UsageError when nothing is; DecodeError for what it does not know */
export async function printDecoded(terminal: Terminal, { operands, modules, json }: DecodeOptions): Promise<ExitCode> {
  const findings = recognise(await read(operands), await decoders(modules))
  const object = {
    findings: findings.map(({ kind, reporter, line, fields, oddities, causes }) => ({
      kind,
      reporter,
      line,
      fields,
      oddities,
      causes: causes.map(({ id, text, known = [], scenario = null }) => ({ id, text, known, scenario })),
    })),
  }
  const { out } = terminal
  out.write(json ? toJson(object) : drawFindings(findings, out.columns, painter(out)))
  return EXIT_OK
}

/** Those of the command itself, and of plugins. What a plugin needs besides is loaded only for its sake. */
async function decoders(modules: readonly string[]): Promise<PanicDecoder[]> {
  const plugins: Plugin[] = [panicDecoders()]
  if (modules.length > 0) {
    const [{ loadPlugins }, { officialPlugins }] = await Promise.all([
      import('../session/modules.js'),
      import('../session/plugins.js'),
    ])
    plugins.push(...officialPlugins())
    for (const module of modules) plugins.push(...(await loadPlugins(module, process.cwd())))
  }
  const machine = createMachine({ cpu: 'skylake', plugins })
  return machine.contributions(PANIC_DECODERS).map(({ value }) => value)
}

async function read(operands: readonly string[]): Promise<string> {
  const [first] = operands
  if (first === undefined || (operands.length === 1 && first === '-')) return readStandardInput(first === '-')
  const isFile = (operand: string): boolean => existsSync(operand) && statSync(operand).isFile()
  if (!operands.every(isFile)) return operands.join(' ')
  return operands.map(readText).join('\n')
}

async function readStandardInput(asked: boolean): Promise<string> {
  if (process.stdin.isTTY && !asked) {
    throw new UsageError('"decode" has nothing to decode', 'for example: dmesg | trapframe decode')
  }
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of process.stdin) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > MOST_BYTES) throw tooLong('standard input')
  }
  return Buffer.concat(chunks).toString('utf8')
}

function readText(file: string): string {
  if (statSync(file).size > MOST_BYTES) throw tooLong(file)
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`)
  }
}

const tooLong = (what: string): UsageError =>
  new UsageError(`${what} is longer than ${MOST_BYTES >> 20} MiB`, 'give the part that holds the panic, or 64 bytes')
