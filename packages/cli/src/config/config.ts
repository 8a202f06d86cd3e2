import type { Plugin } from '@trapframe/core'
import { z } from 'zod'
import { MOST_STEPS } from '../scenario/grammar.js'
import { integer, oneOrMore, text } from '../scenario/schema.js'
import { isPlugin } from '../session/modules.js'

/** A plugin: itself, or where it comes from, by package name or by path from the config, with options if it takes any. */
export type PluginEntry = string | readonly [module: string, options: unknown] | Plugin

/** What `trapframe.config.ts` holds. What the command line says goes before it. */
export interface Config {
  /** What `trapframe run` runs when it is given nothing: files, folders and globs, from the config. */
  readonly files?: readonly string[]
  /** Plugins that every command loads. */
  readonly plugins?: readonly PluginEntry[]
  /** Reporters of `trapframe run`, written as after `--reporter`: `pretty`, `junit=out.xml`. */
  readonly reporter?: string | readonly string[]
  /** Threads of `trapframe run`. */
  readonly workers?: number
  /** Scenarios may load the plugins that they name. */
  readonly allowPlugins?: boolean
  /** The most that a scenario may take, whatever it says itself. */
  readonly limits?: {
    /** Steps of each run. */
    readonly steps?: number
    /** Seconds for all cells of a file together. */
    readonly seconds?: number
  }
}

/** Threads of a run, at most. */
export const MOST_WORKERS = 256

/** A day. */
const MOST_SECONDS = 86_400

const PLUGIN_ENTRY = z.custom<PluginEntry>(
  (entry) =>
    (typeof entry === 'string' && entry !== '') ||
    isPlugin(entry) ||
    (Array.isArray(entry) && entry.length === 2 && typeof entry[0] === 'string'),
  {
    error: 'this is no plugin',
    params: { hint: 'write its package, its path, [package, options], or the plugin itself' },
  },
)

/** What a config is checked against. Whole numbers are `bigint`, as in scenarios. */
export const CONFIG = z.strictObject({
  files: z.array(text).optional(),
  plugins: z.array(PLUGIN_ENTRY).optional(),
  reporter: oneOrMore(text).optional(),
  workers: integer(1, MOST_WORKERS).optional(),
  allowPlugins: z.boolean().optional(),
  limits: z
    .strictObject({ steps: integer(1, MOST_STEPS).optional(), seconds: integer(1, MOST_SECONDS).optional() })
    .optional(),
})

/** A config with its types checked by the editor: the default export of `trapframe.config.ts`. */
export function defineConfig(config: Config): Config {
  return config
}
