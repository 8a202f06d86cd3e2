import type { Plugin } from '@trapframe/core'
import { pluginsFrom } from './plugins-from.js'
import type { PluginSource, WorkerOrder } from './pool.js'
import { perform, type TaskResult } from './task.js'

let loaded: { readonly key: string; readonly plugins: Promise<Plugin[]> } | undefined

/** Loads the plugins with the first task; they are the same for all. */
function pluginsOf(source: PluginSource): Promise<Plugin[]> {
  const key = JSON.stringify(source)
  if (loaded?.key !== key) loaded = { key, plugins: pluginsFrom(source) }
  return loaded.plugins
}

/** What a worker does with a task; null where the run ended before it began. */
export async function work({ task, source, stop }: WorkerOrder): Promise<TaskResult | null> {
  const stopped = (): boolean => Atomics.load(stop, 0) !== 0
  if (stopped()) return null
  return perform(task, await pluginsOf(source), stopped)
}
