// Plays the conformance vectors through the built command, file by file. A file fails if one of its undisputed vectors does,
// and a group also if none of its vectors was played without being disputed: a skip must not pass for a proof.
import { spawnSync } from 'node:child_process'

const files = ['idt-silicon-user', 'idt-bochs', 'idt2-bochs', 'fred-bochs', 'pv-xen']
/** Groups that are disputed as a whole (docs/disputed.md). */
const doubted = /^(user-reinjected\/.*|syscall\/sysexit)$/

for (const name of files) {
  const file = `conformance/${name}.jsonl.gz`
  const { error, status, stdout, stderr } = spawnSync(
    process.execPath,
    ['packages/cli/dist/bin.js', 'vectors', file, '--json'],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  )
  if (error) throw error
  const report = stdout.startsWith('{')
    ? JSON.parse(stdout)
    : { passed: 0, failed: 0, skipped: 0, groups: {}, failures: [] }
  const empty = Object.entries(report.groups).filter(([group, { passed }]) => passed === 0 && !doubted.test(group))
  const ok = status === 0 && report.failed === 0 && report.passed > 0 && empty.length === 0
  console.log(
    `${ok ? 'ok    ' : 'FAILED'} ${name.padEnd(18)} ${report.passed} passed, ${report.failed} failed, ${report.skipped} skipped`,
  )
  if (ok) continue
  process.exitCode = 1
  for (const [group] of empty) console.log(`       ${group}: nothing was played`)
  for (const failure of report.failures.slice(0, 5)) console.log(`       ${JSON.stringify(failure)}`)
  process.stderr.write(stderr)
}
