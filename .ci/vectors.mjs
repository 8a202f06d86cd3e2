// Plays the conformance vectors that must pass, group by group, through the built command. A group fails if one of its
// undisputed vectors does, and also if it plays none at all.
import { spawnSync } from 'node:child_process'

const required = {
  'idt-bochs': ['idt/int-n', 'ret/iretq'],
  'idt-silicon-user': ['user/int-n', 'user/int3'],
  'fred-bochs': ['fred/int-n', 'fred/int3', 'fred/ud2', 'fred/syscall', 'fred/erets', 'fred/eretu'],
}

for (const [file, groups] of Object.entries(required)) {
  for (const group of groups) play(`conformance/${file}.jsonl.gz`, group)
}

function play(file, group) {
  const { error, status, stdout, stderr } = spawnSync(
    process.execPath,
    ['packages/cli/dist/bin.js', 'vectors', file, '--group', group, '--json'],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  )
  if (error) throw error
  const result = stdout.startsWith('{') ? JSON.parse(stdout) : { passed: 0, failed: 0, skipped: 0, failures: [] }
  const ok = status === 0 && result.failed === 0 && result.passed > 0
  console.log(
    `${ok ? 'ok    ' : 'FAILED'} ${group.padEnd(14)} ${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped`,
  )
  if (ok) return
  process.exitCode = 1
  for (const failure of result.failures.slice(0, 5)) console.log(`       ${JSON.stringify(failure)}`)
  process.stderr.write(stderr)
}
