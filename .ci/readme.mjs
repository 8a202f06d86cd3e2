// The terminal session in README.md is what the command prints. Without an argument this writes it, with --check it fails
// where the two differ. Needs a build.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

const prompt = '$ trapframe '
const readme = readFileSync('README.md', 'utf8')
const session = /```\n\$ trapframe (.*)\n[\s\S]*?```/.exec(readme)
if (session === null) throw new Error(`README.md has no block that starts with "${prompt}"`)
const { stdout, status } = spawnSync('node', ['packages/cli/dist/bin.js', ...session[1].split(' ')], {
  encoding: 'utf8',
  env: { ...process.env, NO_COLOR: '1', COLUMNS: '120' },
})
if (status !== 0) throw new Error(`trapframe ${session[1]} ended with ${status}`)
const fresh = readme.replace(session[0], () => `\`\`\`\n${prompt}${session[1]}\n${stdout.trimEnd()}\n\`\`\``)
if (process.argv.includes('--check')) {
  if (fresh !== readme) {
    console.error('README.md shows another session than the command prints; run node .ci/readme.mjs')
    process.exitCode = 1
  }
} else {
  writeFileSync('README.md', fresh)
}
