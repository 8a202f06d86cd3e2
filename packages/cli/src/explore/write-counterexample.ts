import { mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import type { Plugin } from '@trapframe/core'
import { UsageError } from '../error/usage-error.js'
import type { Scenario } from '../scenario/scenario.js'
import type { PreparedCell } from '../session/prepare.js'
import type { Counterexample } from './job.js'
import { replayable } from './shrink.js'

/** A counterexample with what became of it. */
export interface WrittenCounterexample {
  readonly found: Counterexample
  /** The file, by path from the working folder; null where `run` cannot repeat it. */
  readonly scenario: string | null
  /** The command line that repeats it. */
  readonly replay: string | null
}

/** Where counterexamples go, and with what they are repeated. */
export interface Writing {
  /** The folder that they are written to. */
  readonly out: string
  readonly plugins: readonly Plugin[]
  readonly allowPlugins: boolean
  /** Plugins that the command line names. */
  readonly modules?: readonly string[]
}

/** Writes a counterexample as a scenario, if `run` can repeat it. @throws UsageError where it cannot be written */
export async function writeCounterexample(
  scenario: Scenario,
  prepared: PreparedCell,
  found: Counterexample,
  { out, plugins, allowPlugins, modules = [] }: Writing,
): Promise<WrittenCounterexample> {
  const { cell } = prepared
  if (found.path.unsaid.length > 0) return { found, scenario: null, replay: null }
  const file = join(out, fileName(scenario.file, cell.name, found.invariant))
  const shown = relative(process.cwd(), file) || file
  const written = await replayable(scenario, prepared, file, found, { plugins, allowPlugins })
  if (written === null) return { found, scenario: null, replay: null }
  await save(file, written.text)
  const words = [
    'trapframe run',
    shown,
    ...modules.map((module) => `--plugin ${module}`),
    ...(cell.machine.plugins.length > 0 ? ['--allow-plugins'] : []),
    ...(Object.values(scenario.programs).some((program) => 'elf' in program) ? ['--allow-files'] : []),
  ]
  return { found, scenario: shown, replay: words.join(' ') }
}

/** `nmi-reentry.idt-ist-2.no-clobber.yaml` */
function fileName(file: string, cell: string, invariant: string): string {
  const slug = cell
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
  const stem = basename(file).replace(/\.(scenario\.)?(ya?ml|[cm]?ts)$/, '')
  return [stem, ...(slug === '' ? [] : [slug]), invariant, 'yaml'].join('.')
}

/** @throws UsageError where it cannot be written */
async function save(file: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  } catch (error) {
    throw new UsageError(
      `${file} cannot be written: ${(error as Error).message}`,
      '--out FOLDER says where counterexamples go',
      error,
    )
  }
}
