// Packs every public package as it would be published and lets publint and are-the-types-wrong judge the archives.
// Needs a build.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const packages = readdirSync('packages')
  .map((name) => ({ dir: join('packages', name), manifest: readManifest(join('packages', name)) }))
  .filter(({ manifest }) => !manifest.private)
const archives = mkdtempSync(join(tmpdir(), 'trapframe-pack-'))
const broken = []

for (const { dir, manifest } of packages) {
  const archive = join(archives, `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`)
  const ok =
    run('pnpm', ['--dir', dir, 'pack', '--pack-destination', archives]) &&
    run('publint', ['run', archive, '--strict']) &&
    run('attw', [archive, '--profile', 'esm-only', '--no-color', '--no-emoji'])
  console.log(`${ok ? 'ok    ' : 'BROKEN'} ${manifest.name}`)
  if (!ok) broken.push(manifest.name)
}

rmSync(archives, { recursive: true })
console.log(broken.length === 0 ? `${packages.length} packages are fit to publish` : `broken: ${broken.join(', ')}`)
process.exitCode = broken.length === 0 ? 0 : 1

function readManifest(dir) {
  return JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
}

/** Says what the command said only if it failed. */
function run(command, args) {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (error) throw error
  if (status !== 0) console.log(`${command} ${args.join(' ')}\n${stdout}${stderr}`)
  return status === 0
}
