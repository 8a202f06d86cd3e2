// Runs every packages/*/bench/*.bench.mjs, one after the other, each in a process of its own, on the built packages in plain
// Node: under the test runner, whose modules are rewritten, a hot loop across files measures an order of magnitude too slow.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const benches = readdirSync('packages')
  .map((name) => join('packages', name, 'bench'))
  .filter((dir) => existsSync(dir))
  .flatMap((dir) => readdirSync(dir).map((file) => join(dir, file)))
  .filter((file) => file.endsWith('.bench.mjs'))

if (benches.length === 0) console.log('there is no benchmark yet')
for (const bench of benches) {
  console.log(`\n── ${bench}`)
  const { error, status } = spawnSync(process.execPath, [bench], { stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) process.exitCode = 1
}
