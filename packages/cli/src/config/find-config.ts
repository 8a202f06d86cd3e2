import { stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

/** The names of a config, in the order in which a folder is searched for them. */
export const CONFIG_NAMES = ['ts', 'mts', 'js', 'mjs', 'json'].map((ending) => `trapframe.config.${ending}`)

/** The config of a folder, or of the nearest folder above it. */
export async function findConfig(folder: string): Promise<string | undefined> {
  for (let here = resolve(folder); ; here = dirname(here)) {
    for (const name of CONFIG_NAMES) {
      const path = join(here, name)
      if ((await stat(path).catch(() => undefined))?.isFile()) return path
    }
    if (dirname(here) === here) return undefined
  }
}
