import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Plugin } from '@trapframe/core'
import { suggestion } from '../command/suggest.js'
import { UsageError } from '../error/usage-error.js'
import { OWN_REPORTERS, reporters as reportersPlugin } from '../report/plugin.js'
import { REPORTERS, type Reporter, type ReporterKind } from '../report/reporter.js'
import { painter } from '../terminal/style.js'
import type { Terminal } from '../terminal/terminal.js'

/** A reporter as a person asks for it: its name, and the file that it writes to unless that is stdout. */
export interface ReporterChoice {
  readonly name: string
  readonly output: string | undefined
}

/**
 * The reporters that `--reporter NAME`, `--reporter NAME=FILE` and `--output FILE` ask for. Where none takes stdout,
 * `pretty` does.
 *
 * @throws UsageError where two want stdout, and for an output without a reporter
 */
export function reporterChoices(
  written: readonly string[],
  output: string | undefined,
  json = false,
): ReporterChoice[] {
  const choices = [...written, ...(json ? ['json'] : [])].map((one): ReporterChoice => {
    const equals = one.indexOf('=')
    return equals < 0 ? { name: one, output: undefined } : { name: one.slice(0, equals), output: one.slice(equals + 1) }
  })
  const bare = choices.filter((choice) => choice.output === undefined && choice.name !== 'github')
  if (output !== undefined) {
    if (bare.length !== 1) {
      const hint = 'write --reporter NAME=FILE, as often as you like'
      throw new UsageError(
        `--output is for one reporter, and ${bare.length === 0 ? 'none' : bare.length} is without a file`,
        hint,
      )
    }
    return reporterChoices(
      choices.map(({ name, output: file }) => `${name}=${file ?? output}`),
      undefined,
    )
  }
  if (bare.length > 1) {
    const [first, second] = bare as [ReporterChoice, ReporterChoice]
    const hint = `give one of them a file: --reporter ${second.name}=FILE`
    throw new UsageError(`${first.name} and ${second.name} cannot both write to stdout`, hint)
  }
  return bare.length === 0 ? [{ name: 'pretty', output: undefined }, ...choices] : choices
}

/** The reporters of a run, and what closes their files. */
export interface Reporting {
  readonly reporters: readonly Reporter[]
  close(): void
}

/**
 * Makes the reporters; `github` comes by itself where GitHub Actions runs.
 *
 * @throws UsageError for an unknown reporter, and for a file that cannot be written
 */
export async function startReporting(
  choices: readonly ReporterChoice[],
  plugins: readonly Plugin[],
  { out, err, environment }: Terminal,
): Promise<Reporting> {
  const automatic = environment.GITHUB_ACTIONS === 'true' && !choices.some(({ name }) => name === 'github')
  const all = automatic ? [...choices, { name: 'github', output: undefined }] : choices
  const kinds = await reporterKinds(all, plugins)
  const pretty = choices.some(({ name, output }) => name === 'pretty' && output === undefined)
  const files: number[] = []
  const reporters = all.map(({ name, output }) => {
    const kind = kinds.get(name)
    if (kind === undefined)
      throw new UsageError(`there is no reporter "${name}"`, suggestion(name, kinds.keys(), 'reporters'))
    const context = { environment, folder: process.cwd() }
    if (output === undefined) {
      // Annotations are read on stderr as well, where they do not disturb what another program reads.
      const stream =
        name === 'github' && !pretty && choices.some((one) => one.output === undefined && one.name !== name) ? err : out
      return kind.create({ ...context, write: (text) => stream.write(text), paint: painter(stream) })
    }
    const file = openOutput(output)
    files.push(file)
    return kind.create({ ...context, write: (text) => void writeSync(file, text), paint: painter({ color: false }) })
  })
  const close = (): void => {
    for (const file of files.splice(0)) closeSync(file)
  }
  return { reporters, close }
}

function openOutput(path: string): number {
  try {
    mkdirSync(dirname(resolve(path)), { recursive: true })
    return openSync(path, 'w')
  } catch (error) {
    throw new UsageError(
      `${path} cannot be written: ${(error as Error).message.replace(/^\w+: /, '')}`,
      undefined,
      error,
    )
  }
}

/** The reporters that there are. Only for one that is not our own a machine is made, to ask its plugins. */
async function reporterKinds(
  wanted: readonly ReporterChoice[],
  plugins: readonly Plugin[],
): Promise<ReadonlyMap<string, ReporterKind>> {
  if (plugins.length === 0 || wanted.every(({ name }) => Object.hasOwn(OWN_REPORTERS, name))) {
    return new Map(Object.entries(OWN_REPORTERS))
  }
  const [{ createMachine }, { officialPlugins }] = await Promise.all([
    import('@trapframe/core'),
    import('../session/plugins.js'),
  ])
  const machine = createMachine({ cpu: 'panther-lake', plugins: [...officialPlugins(), reportersPlugin(), ...plugins] })
  return new Map(machine.contributions(REPORTERS).map(({ name, value }) => [name, value]))
}
