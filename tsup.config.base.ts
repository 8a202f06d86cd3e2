import type { Options } from 'tsup'

/**
 * The one way in which a package is built: ESM and declarations, dependencies left as imports.
 * `tsconfig.build.json` has no `paths`, so that another package is met as its users meet it, through its `exports`.
 */
export function library(entry: Record<string, string>): Options {
  return {
    entry,
    format: 'esm',
    target: 'node20',
    platform: 'node',
    dts: true,
    sourcemap: true,
    clean: true,
    tsconfig: '../../tsconfig.build.json',
  }
}
