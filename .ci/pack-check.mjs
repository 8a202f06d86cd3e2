// Packs every public package as it would be published and lets publint and are-the-types-wrong judge the archives.
// Needs a build.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pack, publicPackages } from './pack.mjs'

const packages = publicPackages()
const archives = mkdtempSync(join(tmpdir(), 'trapframe-pack-'))
const broken = []

for (const one of packages) {
  const { name } = one.manifest
  const archive = pack(one, archives)
  const ok =
    run('publint', ['run', archive, '--strict']) &&
    run('attw', [archive, '--profile', 'esm-only', '--no-color', '--no-emoji'])
  console.log(`${ok ? 'ok    ' : 'BROKEN'} ${name}`)
  if (!ok) broken.push(name)
}

rmSync(archives, { recursive: true })
console.log(broken.length === 0 ? `${packages.length} packages are fit to publish` : `broken: ${broken.join(', ')}`)
process.exitCode = broken.length === 0 ? 0 : 1

/** Says what the command said only if it failed. */
function run(command, args) {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (error) throw error
  if (status !== 0) console.log(`${command} ${args.join(' ')}\n${stdout}${stderr}`)
  return status === 0
}
