import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** Packages that a plugin is built and tested with, as this command has them. */
const PACKAGES = ['core', 'explore', 'idt', 'isa', 'cli'] as const

/** Versions by package, without `@trapframe/`. */
export type Versions = Readonly<Record<(typeof PACKAGES)[number], string>>

/** The versions of the packages that this command runs with. */
export function installedVersions(): Versions {
  const require = createRequire(import.meta.url)
  const versionOf = (name: string): string => {
    const path = name === 'cli' ? ownManifest() : require.resolve(`@trapframe/${name}/package.json`)
    return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
  }
  return Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])) as unknown as Versions
}

/** This package's own manifest, above the built file or the source. */
function ownManifest(): string {
  const { resolve } = createRequire(import.meta.url)
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const found = resolve(path)
      if ((JSON.parse(readFileSync(found, 'utf8')) as { name?: string }).name === '@trapframe/cli') return found
    } catch {
      // the other place then
    }
  }
  return resolve('@trapframe/cli/package.json')
}
