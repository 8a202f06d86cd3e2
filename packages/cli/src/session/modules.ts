import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Plugin, PluginError, UserError } from '@trapframe/core'

/**
 * The plugins that a module exports: every export that is a plugin, and, where there is none, the function `plugin` or
 * the default one, called without arguments.
 *
 * @param specifier a path, relative to `from`, or the name of a package
 * @param from the folder that paths and package names are looked up from
 * @param options what the module's function is called with; then it must have one
 * @throws PluginError when the module is not there, fails, or exports no plugin
 */
export async function loadPlugins(specifier: string, from: string, options?: unknown): Promise<Plugin[]> {
  const url = locate(specifier, from)
  let module: Readonly<Record<string, unknown>>
  try {
    module = (await import(url)) as Readonly<Record<string, unknown>>
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
    const message = missing
      ? `plugin "${specifier}" was not found`
      : `plugin "${specifier}" failed: ${(error as Error).message}`
    throw new PluginError('plugin-module', message, { hint: `looked for in ${from}`, cause: error })
  }
  const found = [...new Set(Object.values(module).filter(isPlugin))]
  const factory = module.plugin ?? module.default
  if (options === undefined && found.length > 0) return found.map((plugin) => guarded(plugin, specifier))
  const made = makePlugin(specifier, factory, options)
  if (isPlugin(made)) return [guarded(made, specifier)]
  if (options !== undefined) {
    throw new PluginError('plugin-module', `"${specifier}" takes no options`, {
      hint: 'it has no function named "plugin" and no default one that returns a plugin',
    })
  }
  throw new PluginError('plugin-module', `"${specifier}" exports no plugin`, {
    hint: 'export what definePlugin() gives, or a function named "plugin" that returns it',
  })
}

/** The plugin, whose failing set-up is told as its own and not as a defect of ours. */
function guarded(plugin: Plugin, specifier: string): Plugin {
  const setup: Plugin['setup'] = (host) => {
    try {
      plugin.setup(host)
    } catch (error) {
      if (error instanceof UserError) throw error
      const message = `plugin "${plugin.name}" of "${specifier}" failed: ${(error as Error).message}`
      throw new PluginError('plugin-setup', message, { hint: 'its setup() throws', cause: error })
    }
  }
  return Object.create(plugin, { setup: { value: setup, enumerable: true } }) as Plugin
}

function makePlugin(specifier: string, factory: unknown, options: unknown): unknown {
  if (typeof factory !== 'function') return undefined
  try {
    return options === undefined ? factory() : factory(options)
  } catch (error) {
    if (error instanceof PluginError) throw error
    throw new PluginError('plugin-module', `plugin "${specifier}" failed: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** The file that a specifier means by its path; undefined for a package. */
export function modulePath(specifier: string, from: string): string | undefined {
  const path = resolve(from, specifier)
  const written = /^\.{0,2}\//.test(specifier) || /^[A-Za-z]:\\/.test(specifier)
  return written || existsSync(path) ? path : undefined
}

/** The URL that a specifier means, or the specifier itself where nothing is found. */
export function locate(specifier: string, from: string): string {
  const path = modulePath(specifier, from)
  if (path !== undefined) return pathToFileURL(path).href
  try {
    return pathToFileURL(createRequire(join(resolve(from), 'scenario.yaml')).resolve(specifier)).href
  } catch {
    return specifier
  }
}

/** The folder that a scenario's own `plugins` are looked up from. */
export const folderOf = (file: string): string => dirname(resolve(file))

/** Whether a value is a plugin, by what it has. */
export function isPlugin(value: unknown): value is Plugin {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Plugin).name === 'string' &&
    typeof (value as Plugin).setup === 'function'
  )
}
