import { createMachine, type Machine } from '@trapframe/core'
import { toyIsa, toyMechanism } from '@trapframe/core/testing'
import { expect, test } from 'vitest'
import type { Mismatch, Vector } from './format.js'
import { stateFormat } from './state-format.js'

const machine = (): Machine => createMachine({ cpu: 'skylake', plugins: [toyIsa(), toyMechanism({ entry: 0x2000n })] })

const segment = { selector: '0x0', base: '0x0', limit: '0x0', access: '0x10000' }
const gpr = Object.fromEntries(
  'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15'.split(' ').map((name) => [name, '0x0']),
)

/** A vector in which one `40` (RAX += 1) and a HLT run at CPL 0. */
const base = {
  id: 'toy/1',
  group: 'toy',
  cpu: { vendor: 'intel', features: [], linearAddressBits: 48 },
  initial: {
    gpr: { ...gpr, rsp: '0x3000' },
    rip: '0x1000',
    rflags: '0x2',
    cpl: 0,
    ...Object.fromEntries(['es', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'].map((name) => [name, segment])),
    cs: { selector: '0x8', base: '0x0', limit: '0xffffffff', access: '0xa09b' },
    gdtr: { base: '0x0', limit: '0x0' },
    idtr: { base: '0x0', limit: '0x0' },
    cr0: '0x80010033',
    cr2: '0x0',
    cr4: '0x20',
    cr8: '0x0',
    efer: '0xd01',
    dr6: '0xffff0ff0',
    dr7: '0x400',
    msr: {},
    blocking: { nmi: false, sti: false, movss: false },
    memory: [{ address: '0x1000', bytes: '40f4' }],
    pages: [{ address: '0x1000', count: 2, flags: 'wx' }],
  },
  program: [],
  inject: null,
  outcome: 'halted',
  final: { gpr: { rax: '0x1' }, rip: '0x1001' },
}

const play = (changes: Record<string, unknown>): Mismatch | null => {
  const vector = stateFormat.parse({ ...base, ...changes }) as Vector
  return vector.play(machine())
}

test('a vector whose final state is met passes', () => {
  expect(play({})).toBeNull()
})

test.each<[string, Record<string, unknown>, string]>([
  ['a register that differs', { final: { gpr: { rax: '0x2' }, rip: '0x1001' } }, 'gpr.rax'],
  ['a register that should be as before', { final: { rip: '0x1001' } }, 'gpr.rax'],
  ['RIP', { final: { gpr: { rax: '0x1' }, rip: '0x1002' } }, 'rip'],
  ['a byte of memory', { final: { ...base.final, memory: [{ address: '0x2004', bytes: '01' }] } }, 'memory 0x2004'],
  ['an MSR', { final: { ...base.final, msr: { '0xc0000102': '0x5' } } }, 'msr 0xc0000102'],
  ['blocking', { final: { ...base.final, blocking: { nmi: true } } }, 'blocking.nmi'],
  ['a segment’s access word', { final: { ...base.final, ss: { ...segment, access: '0x93' } } }, 'ss.access'],
  ['the outcome', { outcome: 'shutdown', final: {} }, 'outcome'],
])('%s is named by field', (_, changes, field) => {
  expect(play(changes)?.field).toBe(field)
})

test('"compare": "listed" compares only what `final` names', () => {
  expect(play({ compare: 'listed', final: { rip: '0x1001' } })).toBeNull()
  expect(play({ compare: 'listed', final: { gpr: { rcx: '0x7' } } })?.field).toBe('gpr.rcx')
})

test('an instruction that is not modelled has failed, with field "instruction" and its name', () => {
  const initial = { ...base.initial, memory: [{ address: '0x1000', bytes: 'cff4' }] }
  const bare = createMachine({ cpu: 'skylake', plugins: [toyIsa()] })
  const mismatch = (stateFormat.parse({ ...base, initial }) as Vector).play(bare)
  expect(mismatch).toMatchObject({ field: 'instruction' })
  expect(mismatch!.actual).toContain('"toyret" at 0x1000')
})

test.each([
  ['a number without 0x', { initial: { ...base.initial, rip: '1000' } }, 'initial.rip is no hex integer: "1000"'],
  ['an unknown outcome', { outcome: 'gone' }, 'outcome is neither halted nor shutdown: "gone"'],
  [
    'odd hex bytes',
    { final: { memory: [{ address: '0x1', bytes: '123' }] } },
    'final.memory[0].bytes is no hex byte string',
  ],
  [
    'a page range beyond the bound',
    { initial: { ...base.initial, pages: [{ address: '0x0', count: 1e9, flags: 'w' }] } },
    'initial.pages[0].count is no number of pages from 1 to 65536',
  ],
  ['a vendor that is none', { cpu: { ...base.cpu, vendor: 'via' } }, 'cpu.vendor is neither intel nor amd'],
])('%s is refused by name', (_, changes, message) => {
  expect(() => stateFormat.parse({ ...base, ...changes })).toThrowError(message)
})
