import { readFile } from 'node:fs/promises'
import { dirname, relative, resolve } from 'node:path'
import type { Plugin } from '@trapframe/core'
import type { z } from 'zod'
import { ScenarioError } from '../error/scenario-error.js'
import { UsageError } from '../error/usage-error.js'
import { check } from '../scenario/issues.js'
import type { Places } from '../scenario/place.js'
import { Problems } from '../scenario/problems.js'
import { readYaml } from '../scenario/yaml.js'
import { loadScript } from '../script/load-script.js'
import { plainData, plainNumbers } from '../script/plain-data.js'
import { isPlugin, loadPlugins } from '../session/modules.js'
import { CONFIG, type PluginEntry } from './config.js'

/** A config that was read. */
export interface LoadedConfig {
  /** The config file; undefined where there is none. */
  readonly file: string | undefined
  /** The folder that paths of the config are relative to. */
  readonly folder: string
  readonly settings: z.output<typeof CONFIG>
  readonly places: Places | undefined
  /** Files that the config imports by path. */
  readonly files: readonly string[]
}

/** What holds without a config. */
export const NO_CONFIG: LoadedConfig = {
  file: undefined,
  folder: '.',
  settings: {},
  places: undefined,
  files: [],
}

/**
 * Reads a config. All forms but JSON are code that runs here.
 *
 * @param path as the person wrote it, or as it was found
 * @throws ScenarioErrors with every mistake, at its place; UsageError where there is no such file
 */
export async function loadConfig(path: string): Promise<LoadedConfig> {
  const file = relative(process.cwd(), resolve(path)) || path
  const source = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(
      `the config ${file} cannot be read`,
      error.code === 'ENOENT' ? 'there is no such file' : error.message,
      error,
    )
  })
  const { data, places, files } = await read(file, source)
  const problems = new Problems(places)
  const { value, problems: wrong } = check(CONFIG, data)
  for (const problem of wrong ?? []) problems.add(problem)
  problems.throwIfAny()
  return { file, folder: dirname(resolve(path)), settings: value!, places, files }
}

async function read(
  file: string,
  source: string,
): Promise<{ data: unknown; places: Places; files: readonly string[] }> {
  // JSON is YAML, and so its mistakes have places too.
  if (file.endsWith('.json')) return { ...readYaml(file, source), files: [] }
  const script = await loadScript(file, source, 'config')
  const { plugins, ...rest } = isRecord(script.data) ? script.data : {}
  const data = isRecord(script.data)
    ? { ...(plainData(rest) as object), ...(plugins === undefined ? {} : { plugins }) }
    : script.data
  return { ...script, data }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** An entry of a config's `plugins`, and the plugins that it means. */
export interface LoadedEntry {
  readonly entry: PluginEntry
  readonly plugins: readonly Plugin[]
}

/**
 * The plugins of a config, entry by entry.
 *
 * @throws ScenarioErrors for one that cannot be loaded, at its place in the config
 */
export async function configEntries({ settings, folder, places }: LoadedConfig): Promise<LoadedEntry[]> {
  const entries: LoadedEntry[] = []
  const problems = places === undefined ? undefined : new Problems(places)
  for (const [index, entry] of (settings.plugins ?? []).entries()) {
    try {
      entries.push({ entry, plugins: await load(entry, folder) })
    } catch (error) {
      if (!(error instanceof Error) || !('hint' in error) || problems === undefined) throw error
      const hint = error.hint === undefined ? undefined : String(error.hint)
      problems.addError(new ScenarioError(error.message, places?.value(['plugins', index]), hint, error))
    }
  }
  problems?.throwIfAny()
  return entries
}

/** The plugins of a config. @throws ScenarioErrors for one that cannot be loaded, at its place in the config */
export async function configPlugins(config: LoadedConfig): Promise<Plugin[]> {
  return (await configEntries(config)).flatMap(({ plugins }) => plugins)
}

async function load(entry: PluginEntry, folder: string): Promise<readonly Plugin[]> {
  if (isPlugin(entry)) return [entry]
  if (typeof entry === 'string') return loadPlugins(entry, folder)
  return loadPlugins(entry[0], folder, plainNumbers(entry[1]))
}
