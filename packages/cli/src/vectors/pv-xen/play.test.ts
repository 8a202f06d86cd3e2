import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { createMachine, type Machine } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { beforeAll, describe, expect, test } from 'vitest'
import { SAMPLE, withChange } from '../../../test/pv-xen-sample.js'
import type { Mismatch, Vector } from '../format.js'
import { readVectors } from '../read.js'
import { runVectors } from '../run.js'
import { stateFormat } from '../state-format.js'
import { pvXenFormat } from './format.js'

let machine: Machine
const parse = (line: typeof SAMPLE): Vector => pvXenFormat.parse(line) as Vector
const play = (path: readonly (string | number)[], value: unknown): Mismatch | null =>
  parse(withChange(path, value)).play(machine)

beforeAll(() => {
  const { cpu, host } = parse(SAMPLE)
  machine = createMachine({ cpu, plugins: [isa(), idt(), ...host!.plugins()] })
})

const event = ['seen', 'events', 0] as const

describe('an experiment is compared field by field', () => {
  test('what was seen passes, again and again on the same machine', () => {
    for (let i = 0; i < 3; i++) expect(parse(SAMPLE).play(machine)).toBeNull()
  })

  test.each<[readonly (string | number)[], unknown, string, string]>([
    [[...event, 'entry'], 'trap:0xd', 'events[0].entry', 'trap:0x6'],
    [[...event, 'name'], undefined, 'events[0].name', '#UD'],
    [[...event, 'fromMode'], 'kernel', 'events[0].fromMode', 'user'],
    [[...event, 'frameAt'], 'kstack-0x40', 'events[0].frameAt', 'kstack-0x38'],
    [[...event, 'frame', 'rip'], 'code+0x2', 'events[0].frame.rip', 'code'],
    [[...event, 'frame', 'errorCode'], '0x0', 'events[0].frame.errorCode', 'none'],
    [[...event, 'frame', 'ssQword'], undefined, 'events[0].frame.ssQword', '0x20300060000e02b'],
    [[...event, 'frame', 'savedUpcallMask'], 1, 'events[0].frame.savedUpcallMask', '0x0'],
    [[...event, 'regs', 'rbx'], '0x0', 'events[0].regs.rbx', '0x3333333333333333'],
    [[...event, 'regs', 'rcx'], 'handler:0xd', 'events[0].regs.rcx', 'handler:0x6'],
    [[...event, 'gs'], '0x3', 'events[0].gs', '0x0'],
    [[...event, 'upcallMask'], 1, 'events[0].upcallMask', '0x0'],
    [[...event, 'cr2'], 'nppage', 'events[0].cr2', '0x0'],
    [[...event, 'kernelGsBase'], 'gsx', 'events[0].kernelGsBase', 'gsu'],
    [[...event, 'gsQword'], 'fault:0xe', 'events[0].gsQword', 'gsk'],
    [[...event, 'dr6'], '0xffff4ff0', 'events[0].dr6', '0xffff0ff0'],
    [['seen', 'setupResults'], ['0x0'], 'setupResults', '0 results'],
    [['seen', 'events'], [], 'events[0].entry', 'trap:0x6'],
    [['setup', 'start', 'regs'], { r9: '0x9' }, 'none', ''],
  ])('%j as %j differs in %s', (path, value, field, actual) => {
    const mismatch = play(path, value)
    if (field === 'none') expect(mismatch).toBeNull()
    else expect(mismatch).toMatchObject({ field, actual })
  })

  test('a result of the set-up that differs is named', () => {
    const before = [{ op: 'stackSwitch', ss: '0xe02b', rsp: 'kstack' }]
    const line = withChange(['setup', 'before'], before)
    const wrong = { ...line, seen: { ...(line.seen as object), setupResults: [-22] } }
    expect(parse(wrong).play(machine)).toEqual({ field: 'setupResults[0]', expected: '-22', actual: '0x0' })
  })

  test('an instruction that is not modelled is a mismatch with its name, not an error', () => {
    const pshufd = '660f70c100cdf1'
    expect(play(['setup', 'bytes'], pshufd)).toMatchObject({ field: 'instruction', expected: 'modelled' })
  })

  test('a file of experiments, one with a wrong value, counts and names the field; gzipped or not', () => {
    const folder = mkdtempSync(join(tmpdir(), 'trapframe-pv-xen-'))
    const wrong = withChange([...event, 'frame', 'rip'], 'code+0x2')
    const lines = [SAMPLE, { ...wrong, id: 'int/wrong/user' }].map((line) => JSON.stringify(line)).join('\n')
    const files = [join(folder, 'a.jsonl'), join(folder, 'a.jsonl.gz')]
    writeFileSync(files[0]!, lines)
    writeFileSync(files[1]!, gzipSync(lines))
    for (const file of files) {
      expect(runVectors(readVectors(file, [stateFormat, pvXenFormat]), [isa(), idt(), fred()])).toEqual({
        total: 2,
        passed: 1,
        failed: 1,
        skipped: 0,
        groups: {
          'pv/exc': { total: 1, passed: 1, failed: 0, skipped: 0 },
          'pv/int': { total: 1, passed: 0, failed: 1, skipped: 0 },
        },
        failures: [
          { id: 'int/wrong/user@fred@intel', field: 'events[0].frame.rip', expected: 'code+0x2', actual: 'code' },
        ],
      })
    }
    rmSync(folder, { recursive: true })
  })

  test('experiments of both deliveries have machines of their own', () => {
    const idtLine = withChange(['delivery'], 'idt')
    const vectors = [SAMPLE, idtLine].map((line) => parse(line))
    const report = runVectors(vectors, [isa(), idt(), fred()])
    // Under the IDT the SS slot holds nothing but SS (kind 1).
    expect(report.failures).toEqual([
      { id: 'exc/ud2/user@idt@intel', field: 'events[0].frame.ssQword', expected: '0x20300060000e02b', actual: 'none' },
    ])
  })
})
