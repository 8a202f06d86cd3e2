import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Plugin, PluginError } from '@trapframe/core'

/**
 * The plugins that a module exports: every export that is a plugin, and, where there is none, the function `plugin` or
 * the default one, called without arguments.
 *
 * @param specifier a path, relative to `from`, or the name of a package
 * @param from the folder that paths and package names are looked up from
 * @throws PluginError when the module is not there, fails, or exports no plugin
 */
export async function loadPlugins(specifier: string, from: string): Promise<Plugin[]> {
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
  if (found.length > 0) return found
  const factory = module.plugin ?? module.default
  const made: unknown = typeof factory === 'function' ? factory() : undefined
  if (isPlugin(made)) return [made]
  throw new PluginError('plugin-module', `"${specifier}" exports no plugin`, {
    hint: 'export what definePlugin() gives, or a function named "plugin" that returns it',
  })
}

function locate(specifier: string, from: string): string {
  const path = resolve(from, specifier)
  if (/^\.{0,2}\//.test(specifier) || /^[A-Za-z]:\\/.test(specifier) || existsSync(path))
    return pathToFileURL(path).href
  try {
    return pathToFileURL(createRequire(join(resolve(from), 'scenario.yaml')).resolve(specifier)).href
  } catch {
    return specifier
  }
}

/** The folder that a scenario's own `plugins` are looked up from. */
export const folderOf = (file: string): string => dirname(resolve(file))

function isPlugin(value: unknown): value is Plugin {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Plugin).name === 'string' &&
    typeof (value as Plugin).setup === 'function'
  )
}
