// What the next release would be: applies the changesets in a copy of the repository, and prints each package's version with the first
// lines of its changelog. Fails where a package that changed gets no version, a version is not what a 0.x release should be, or a
// package that nobody wrote a changeset for gets a major one.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve('.')
const copy = mkdtempSync(join(tmpdir(), 'trapframe-release-'))
const problems = []
try {
  const left = new Set(['.git', 'node_modules', 'dist', '.turbo', 'conformance', 'scenarios'])
  cpSync(root, copy, { recursive: true, filter: (path) => !left.has(path.split('/').at(-1)) })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  run('git', ['init', '--quiet', '--initial-branch=main'])
  const before = manifests()
  const pending = readdirSync(join(copy, '.changeset')).filter((name) => name.endsWith('.md') && name !== 'README.md')
  run('node', [join(root, 'node_modules/@changesets/cli/bin.js'), 'version'])
  const after = manifests()
  const unapplied = readdirSync(join(copy, '.changeset')).filter((name) => name.endsWith('.md') && name !== 'README.md')
  if (unapplied.length > 0) problems.push(`changesets that were not applied: ${unapplied.join(', ')}`)
  for (const [dir, { name, version, private: hidden }] of after) {
    const old = before.get(dir).version
    if (hidden) continue
    console.log(`${name}  ${old} → ${version}`)
    if (Number(version.split('.')[0]) > 0 && old.startsWith('0.')) problems.push(`${name} would become ${version}`)
    const log = join(copy, dir, 'CHANGELOG.md')
    if (old === version || version === '0.0.1') problems.push(`no changeset names ${name}`)
    if (old === version) continue
    if (!existsSync(log)) problems.push(`${name} has no changelog`)
    else if (!readFileSync(log, 'utf8').includes(`## ${version}`))
      problems.push(`the changelog of ${name} has no ${version}`)
  }
  for (const [, { name, dependencies = {}, peerDependencies = {} }] of after)
    for (const [other, range] of Object.entries({ ...dependencies, ...peerDependencies }))
      if (other.startsWith('@trapframe/') && !range.startsWith('workspace:'))
        problems.push(`${name} wants ${other} ${range}, and not the workspace's`)
  console.log(`${pending.length} changesets`)
} finally {
  rmSync(copy, { recursive: true, force: true })
}
for (const problem of problems) console.error(problem)
process.exitCode = problems.length === 0 ? 0 : 1

function manifests() {
  return new Map(
    readdirSync(join(copy, 'packages')).map((name) => {
      const dir = join('packages', name)
      return [dir, JSON.parse(readFileSync(join(copy, dir, 'package.json'), 'utf8'))]
    }),
  )
}

function run(command, args) {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    cwd: copy,
    encoding: 'utf8',
    env: { ...process.env, CI: '1', NO_COLOR: '1' },
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stdout}${stderr}`)
  return stdout
}
