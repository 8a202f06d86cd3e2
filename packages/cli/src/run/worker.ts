import { type Plugin, UserError } from '@trapframe/core'
import { plainError } from '../error/plain-error.js'
import { pluginsFrom } from './plugins-from.js'
import type { PluginSource, WorkerAnswer, WorkerOrder } from './pool.js'
import { perform } from './task.js'

let loaded: { readonly key: string; readonly plugins: Promise<Plugin[]> } | undefined

/** Loads the plugins with the first task; they are the same for all. */
function pluginsOf(source: PluginSource): Promise<Plugin[]> {
  const key = JSON.stringify(source)
  if (loaded?.key !== key) loaded = { key, plugins: pluginsFrom(source) }
  return loaded.plugins
}

/** What a worker does with a task; null where the run ended before it began. */
export async function work({ task, source, stop }: WorkerOrder): Promise<WorkerAnswer> {
  const stopped = (): boolean => Atomics.load(stop, 0) !== 0
  if (stopped()) return null
  let plugins: Plugin[]
  try {
    plugins = await pluginsOf(source)
  } catch (error) {
    if (error instanceof UserError) return { refused: plainError(error) }
    throw error
  }
  return perform(task, plugins, stopped)
}
