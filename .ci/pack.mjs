// Packs every public package as it would be published.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The public packages: `{ dir, manifest }`, by folder. */
export function publicPackages() {
  return readdirSync('packages')
    .map((name) => {
      const dir = join('packages', name)
      return { dir, manifest: JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) }
    })
    .filter(({ manifest }) => !manifest.private)
}

/** Packs a package into a folder, with the versions of its dependencies written out, and gives the archive's path. */
export function pack({ dir, manifest }, folder) {
  const { error, status, stdout, stderr } = spawnSync('pnpm', ['--dir', dir, 'pack', '--pack-destination', folder], {
    encoding: 'utf8',
  })
  if (error) throw error
  if (status !== 0) throw new Error(`pnpm cannot pack ${manifest.name}: ${stdout}${stderr}`)
  return join(folder, `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`)
}
