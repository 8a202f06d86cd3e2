import { definePlugin, STATUS } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { runOnly, runText } from '../../test/scenario-text.js'
import { canonicalEventName } from './event-names.js'
import { EXPECTATIONS, expectationVerb, INJECTIONS, injectionVerb } from './slots.js'

const GAP = `name: x
machine: { delivery: idt, options: { ist: false, smap: false, shadowStacks: false } }
guest: |
  start:
    mov  rsp, 0x7fff0000
    syscall
  back:
inject: [{ event: nmi, at: { label: syscall_entry } }]
`

const ROUND = `name: x
machine: { host: flat-fred, delivery: fred }
guest: |
  start:
    mov  rax, 0x1122
  call:
    int  0x80
  back:
    mov  [guest_data], rax
`

/** What became of one expectation: held or not, and what was said. */
async function verdict(text: string, expectation: string): Promise<readonly [holds: boolean, actual: string]> {
  const { result } = await runOnly(`${text}expect:\n  - { ${expectation} }\n`)
  const { holds, actual } = result.expectations.at(-1)!
  return [holds, actual]
}

describe('expectations', () => {
  test.each([
    ['outcome: done', true, 'done after 4 steps, RIP at back+0x8'],
    ['outcome: halted', false, 'done after 4 steps, RIP at back+0x8'],
    ['cpu: 0, outcome: done', true, 'done after 4 steps, RIP at back+0x8'],
    ['cpl: 3', true, 'CPL 3'],
    ['cpl: 0', false, 'CPL 3'],
    ['stackLevel: 0', true, 'stack level 0'],
    ['registers: { rax: 0x1122, cs: 0x2b }', true, 'rax = 0x1122, cs = 0x2b'],
    ['registers: { rax: 0x1122, rbx: 1, rip: back }', false, 'rbx = 0x0, rip = 0x400011 (back+0x8)'],
    ['registers: { rcx: -1 }', false, 'rcx = 0x0'],
    ['msr: { IA32_FRED_CONFIG: entry_ring3 }', true, 'IA32_FRED_CONFIG = 0x110000 (entry_ring3)'],
    ['msr: { IA32_LSTAR: 5 }', false, 'IA32_LSTAR = 0x0'],
    ['memory: [{ address: guest_data, u64: 0x1122 }]', true, '22 11 00 00 00 00 00 00 at 0x500000'],
    ['memory: [{ address: guest_data, bytes: "22 11" }, { address: guest_data, u8: 1 }]', false, '22 at 0x500000'],
    ['memory: [{ address: 0x123000, u16: 0 }]', true, '00 00 at 0x123000'],
    ['memory: [{ address: 0x7000_0000, u16: 0 }]', false, 'nothing mapped at 0x70000000'],
    ['log: FRED', true, 'found'],
    ['log: [FRED, nonsense]', false, '"nonsense" is not there; the log is: FRED on 1 CPU, entry page 0x110000'],
    ['events: [int 0x80]', true, 'INT 0x80'],
    ['events: [int 0x80, nmi]', false, 'INT 0x80'],
    ['never: { event: "#DF" }', true, 'none'],
    ['never: { event: INT 0x80 }', false, 'INT 0x80 at step 2, from back'],
    ['never: { write: guest, by: delivery }', true, 'never written'],
    ['never: { write: guest }', false, 'software wrote 8 bytes at 0x500000'],
    ['never: { write: SL0 }', false, 'the delivery of INT 0x80 wrote 8 bytes at 0x1001ff8'],
    ['keeps: [good-stack, no-clobber]', true, 'kept in 4 steps'],
    ['violates: good-stack', false, 'good-stack kept'],
    ['trace: [{ type: event, vector: 0x80 }, { type: return, mnemonic: eretu, rip: back }]', true, 'found'],
    ['trace: [{ type: return }, { type: event }]', false, 'no event after the others'],
    ['trace: [{ type: event, event: NMI }]', false, 'no event with event "NMI"'],
    [
      'frame: { event: INT 0x80, type: software-interrupt, vector: 0x80 }',
      true,
      'the INT 0x80 frame (delivery 1, step 2)',
    ],
    [
      'frame: { nth: 1, on: SL0, bytes: 64, stackLevel: 0, from: { cpl: 3, stackLevel: 0 } }',
      true,
      'the INT 0x80 frame (delivery 1, step 2)',
    ],
    [
      'frame: { rip: back, cs: 0x2b, ss: 0x23, rflags: 0x202, rsp: 0x600000, errorCode: 0, eventData: 0 }',
      true,
      'the INT 0x80 frame (delivery 1, step 2)',
    ],
    [
      'frame: { event: INT 0x80, bytes: 40, nested: true }',
      false,
      'the INT 0x80 frame (delivery 1, step 2) has nested false, bytes 64',
    ],
    ['frame: { nth: 2, bytes: 64 }', false, 'only 1 frame'],
    ['frame: { ist: 2 }', false, 'the INT 0x80 frame (delivery 1, step 2) has ist none'],
  ])('%s', async (expectation, holds, actual) => {
    expect(await verdict(ROUND, expectation)).toEqual([holds, actual])
  })

  test.each([
    ['violates: good-stack', true, 'good-stack: NMI frame written to 7ffeffd8, guest memory, at step 3'],
    ['keeps: [no-clobber, good-stack]', false, 'good-stack: NMI frame written to 7ffeffd8, guest memory, at step 3'],
    ['never: { write: guest, by: delivery }', false, 'the delivery of NMI wrote 8 bytes at 0x7ffefff8'],
    ['frame: { event: nmi, on: guest, ist: 0 }', true, 'the NMI frame (delivery 1, step 3)'],
    ['frame: { event: nmi, stackLevel: 0 }', false, 'the NMI frame (delivery 1, step 3) has stackLevel none'],
    ['frame: { event: nmi, errorCode: 0 }', false, 'the NMI frame (delivery 1, step 3) has errorCode none'],
    ['stackLevel: 0', false, 'idt has no stack levels'],
  ])('in the SYSCALL gap without IST: %s', async (expectation, holds, actual) => {
    expect(await verdict(GAP, expectation)).toEqual([holds, actual])
  })

  test('an invariant that is violated without a word about it is noted, and does not fail the cell', async () => {
    const { result } = await runOnly(`${GAP}expect: [{ frame: { event: NMI } }]\n`)
    expect([result.passed, result.unmentioned]).toEqual([true, ['good-stack']])
    const said = await runOnly(`${GAP}expect: [{ violates: good-stack }]\n`)
    expect(said.result.unmentioned).toEqual([])
  })
})

describe('event names', () => {
  test.each([
    ['#PF', '#PF'],
    ['pf', '#PF'],
    ['nmi', 'NMI'],
    ['int3', 'INT3'],
    ['int 128', 'INT 0x80'],
    ['Interrupt 0x20', 'interrupt 0x20'],
    ['syscall', 'SYSCALL'],
    ['int 256', undefined],
    ['#XY', undefined],
  ])('%s is %s', (written, name) => {
    expect(canonicalEventName(written)).toBe(name)
  })
})

test('plugins add verbs to scenarios: an event to inject and something to expect', async () => {
  const extra = definePlugin({
    name: 'extra',
    setup(host) {
      host.add(
        INJECTIONS,
        'storm',
        injectionVerb({
          summary: 'an NMI, twice',
          schema: z.strictObject({ count: z.bigint() }),
          describe: ({ count }) => `${count} NMIs`,
          inject: ({ words }) => {
            words[STATUS] = words[STATUS]! | 1
          },
        }),
      )
      host.add(
        EXPECTATIONS,
        'eventCount',
        expectationVerb({
          summary: 'how many events are delivered',
          schema: z.bigint(),
          bind: (wanted) => ({
            verdict: ({ deliveries }) => ({
              holds: BigInt(deliveries.length) === wanted,
              expected: `${wanted} events`,
              actual: `${deliveries.length} events`,
            }),
          }),
        }),
      )
    },
  })
  const text = `${ROUND}inject: [{ event: storm, count: 2, at: { label: call } }]\nexpect: [{ eventCount: 2 }]\n`
  const [cell] = await runText(text, { plugins: [extra] })
  expect(cell?.result.expectations).toMatchObject([{ verb: 'eventCount', holds: true, actual: '2 events' }])
})
