// Builds the named packages and what they need, and says nothing unless it fails.
//   node .ci/build.mjs [PACKAGE…]      without a name: all
import { spawnSync } from 'node:child_process'

const filters = process.argv.slice(2).map((name) => `--filter=${name}...`)
const build = spawnSync('turbo', ['run', 'build', ...filters, '--output-logs=errors-only'], {
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' },
  encoding: 'utf8',
})
if (build.error) throw build.error
if (build.status !== 0) {
  process.stderr.write(build.stdout + build.stderr)
  process.exit(build.status ?? 1)
}
