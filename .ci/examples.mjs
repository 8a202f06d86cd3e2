// Runs what examples/ shows, as a reader would: the `start` script of an example that has one, else every
// scenario of it through the built command. Needs a build. Fails if one fails, and if there is none.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const failed = []
let ran = 0

for (const example of readdirSync('examples', { withFileTypes: true })) {
  if (!example.isDirectory()) continue
  const dir = join('examples', example.name)
  // An example with a `start` script runs its scenarios itself: they may want a plugin.
  if (hasStart(dir)) run('npm', ['--prefix', dir, '--silent', 'start'])
  else for (const scenario of scenariosIn(dir)) run('node', ['packages/cli/dist/bin.js', 'run', scenario])
}

console.log(`\n${ran - failed.length} of ${ran} examples ran`)
for (const command of failed) console.log(`failed: ${command}`)
process.exitCode = ran > 0 && failed.length === 0 ? 0 : 1

function scenariosIn(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) return ['node_modules', 'dist'].includes(entry.name) ? [] : scenariosIn(path)
    return entry.name.endsWith('.yaml') ? [path] : []
  })
}

function hasStart(dir) {
  const manifest = join(dir, 'package.json')
  return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).scripts?.start !== undefined
}

function run(command, args) {
  const line = `${command} ${args.join(' ')}`
  console.log(`\n── ${line}`)
  ran += 1
  const { error, status } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  if (error) throw error
  if (status !== 0) failed.push(line)
}
