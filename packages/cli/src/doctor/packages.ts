import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Finding } from './finding.js'
import { satisfies } from './range.js'

/** What of a package.json is looked at. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly engines?: { readonly node?: string }
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/** A package as it is installed. */
export interface Installed {
  readonly manifest: Manifest
  /** Its folder, links followed. */
  readonly folder: string
}

const SCOPE = '@trapframe/'
const CORE = '@trapframe/core'

/** The package that a file of this command is in: the nearest manifest above it. */
export function ownPackage(): Installed {
  for (let here = dirname(fileURLToPath(import.meta.url)); ; here = dirname(here)) {
    if (existsSync(join(here, 'package.json'))) return installedIn(here)
  }
}

/** A package as code in a folder finds it; null where it does not. */
export function packageFrom(folder: string, name: string): Installed | null {
  try {
    return installedIn(
      dirname(createRequire(join(realpathSync(folder), 'package.json')).resolve(`${name}/package.json`)),
    )
  } catch {
    return null
  }
}

function installedIn(folder: string): Installed {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
  return { manifest, folder: realpathSync(folder) }
}

/** Whether the packages of trapframe that this command needs are there, in versions that go together. */
export function examinePackages(own: Installed): readonly Finding[] {
  const needed = Object.keys(own.manifest.dependencies ?? {}).filter((name) => name.startsWith(SCOPE))
  const findings: Finding[] = []
  const versions = [`cli ${own.manifest.version}`]
  for (const name of needed) {
    const found = packageFrom(own.folder, name)
    if (found === null) {
      findings.push({
        what: 'packages',
        health: 'bad',
        message: `${name} is not there`,
        hint: 'install again: npm install',
      })
      continue
    }
    versions.push(`${name.slice(SCOPE.length)} ${found.manifest.version}`)
  }
  for (const wanting of [own, ...needed.flatMap((name) => packageFrom(own.folder, name) ?? [])]) {
    const { name, dependencies = {}, peerDependencies = {} } = wanting.manifest
    for (const [other, range] of Object.entries({ ...dependencies, ...peerDependencies })) {
      const found = other.startsWith(SCOPE) ? packageFrom(wanting.folder, other) : null
      if (found === null || satisfies(found.manifest.version, range)) continue
      findings.push({
        what: 'packages',
        health: 'bad',
        message: `${name} wants ${other} ${range}, and finds ${found.manifest.version}`,
        hint: `bring them to versions that go together: npm install ${name}@latest ${other}@latest`,
      })
    }
  }
  if (findings.length > 0) return findings
  return [{ what: 'packages', health: 'good', message: versions.join(', ') }]
}

/** Something that uses core, and the folder that its code is in. */
export interface CoreUser {
  readonly name: string
  readonly folder: string
}

/**
 * Whether everything uses the same copy of core. With two of them the faults of one are nothing to the other, and a
 * plugin's first fault is a defect instead of an event.
 */
export function examineCore(own: Installed, users: readonly CoreUser[]): Finding {
  const core = packageFrom(own.folder, CORE)
  if (core === null) return { what: 'core', health: 'bad', message: `${CORE} is not there`, hint: 'npm install' }
  const packages = Object.keys(own.manifest.dependencies ?? {})
    .filter((name) => name.startsWith(SCOPE))
    .flatMap((name) => packageFrom(own.folder, name) ?? [])
    .map(({ manifest, folder }) => ({ name: manifest.name, folder }))
  const others = [...packages, ...users].flatMap(({ name, folder }) => {
    const found = packageFrom(folder, CORE)
    return found === null || found.folder === core.folder ? [] : [{ name, found }]
  })
  if (others.length === 0) return { what: 'core', health: 'good', message: `one copy, ${core.manifest.version}` }
  const list = others.map(({ name, found }) => `${name} uses ${found.manifest.version} in ${found.folder}`)
  return {
    what: 'core',
    health: 'bad',
    message: `there are several copies of ${CORE}: trapframe uses ${core.manifest.version} in ${core.folder}; ${list.join('; ')}`,
    hint:
      'a plugin must use the copy that loads it: core belongs into its peerDependencies, and it is installed beside ' +
      'trapframe (npm dedupe; a linked folder must not have a node_modules/@trapframe of its own)',
  }
}
