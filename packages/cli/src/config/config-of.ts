import { resolve } from 'node:path'
import { UsageError } from '../error/usage-error.js'
import { findConfig } from './find-config.js'
import { type LoadedConfig, loadConfig, NO_CONFIG } from './load-config.js'

/** The option of commands that read a config. */
export const CONFIG_OPTION = {
  config: {
    type: 'string',
    valueHint: 'FILE',
    description: 'the config file; left out, the nearest trapframe.config.*',
  },
} as const

/** The config that a command line names, else the nearest one above the working folder, else none. */
export async function configOf(given: string | undefined, folder = process.cwd()): Promise<LoadedConfig> {
  if (given === '') throw new UsageError('--config needs a file')
  const path = given === undefined ? await findConfig(folder) : resolve(folder, given)
  return path === undefined ? NO_CONFIG : loadConfig(path)
}
