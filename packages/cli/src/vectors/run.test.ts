import { cpuModel } from '@trapframe/core'
import { expect, test } from 'vitest'
import type { Mismatch, Vector } from './format.js'
import { matchesGlob } from './glob.js'
import { formatReport } from './report.js'
import { runVectors } from './run.js'

const cpu = cpuModel({ vendor: 'intel', features: [], linearAddressBits: 48 })
const wrong: Mismatch = { field: 'rip', expected: '0x1', actual: '0x2' }
const vector = (id: string, result: Mismatch | null, disputed?: string): Vector => ({
  id,
  group: id.split('/')[0]!,
  cpu,
  play: () => result,
  ...(disputed === undefined ? {} : { disputed }),
})

test('counts by group: total = passed + failed + skipped, and a disputed vector is never played', () => {
  const report = runVectors(
    [vector('a/1', null), vector('a/2', wrong), vector('b/1', wrong, 'doubted'), vector('b/2', null)],
    [],
  )
  expect(report).toEqual({
    total: 4,
    passed: 2,
    failed: 1,
    skipped: 1,
    groups: {
      a: { total: 2, passed: 1, failed: 1, skipped: 0 },
      b: { total: 2, passed: 1, failed: 0, skipped: 1 },
    },
    failures: [{ id: 'a/2', ...wrong }],
  })
})

test('the report lists the first 50 failures and counts all', () => {
  const report = runVectors(
    Array.from({ length: 60 }, (_, i) => vector(`g/${i}`, wrong)),
    [],
  )
  expect(report.failed).toBe(60)
  expect(report.failures).toHaveLength(50)
  expect(formatReport(report)).toContain('and 40 more')
})

test('vectors of equal CPUs share a machine, others get their own', () => {
  const machines = new Set<unknown>()
  const play: Vector['play'] = (machine) => {
    machines.add(machine)
    return null
  }
  const amd = cpuModel({ vendor: 'amd', features: [], linearAddressBits: 48 })
  runVectors(
    [cpu, cpu, amd].map((model, i) => ({ ...vector(`g/${i}`, null), cpu: model, play })),
    [],
  )
  expect(machines.size).toBe(2)
})

test.each([
  ['fred/int-n', 'fred/*', true],
  ['fred/int-n', 'fred/int-?', true],
  ['amd/idt/gp', '*/idt/*', true],
  ['fred/int-n', 'idt/*', false],
  ['fred/int-n', 'idt/*, fred/int-n', true],
  ['fred/int-n', 'fred.int-n', false],
])('group %s matches glob %s: %s', (name, glob, matches) => {
  expect(matchesGlob(name, glob)).toBe(matches)
})
