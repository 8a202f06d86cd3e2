import { type Cpu, CR4, CR4_UMIP, GDTR, IDTR, LDTR, TABLE_LIMIT, TR } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { bytesOf, DATA, eventOf, execute, results, TABLES } from './test-machine.js'

const LDT = 0x0000_8212_3456_0fffn
const TSS = 0x0000_8907_0000_0067n

/** A GDT with an LDT descriptor at 10h and an available 64-bit TSS at 20h. */
function withGdt(cpu: Cpu): void {
  const entries = [0n, 0n, LDT, 0xffff_8000n, TSS, 0n]
  cpu.machine.space(0n).write(TABLES, Uint8Array.from(entries.flatMap((entry) => bytesOf(entry, 8))))
  cpu.set64(GDTR, TABLES)
  cpu.words[GDTR + TABLE_LIMIT] = entries.length * 8 - 1
}

const umip = (cpu: Cpu) => cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_UMIP))

describe('LGDT and LIDT', () => {
  test.each([
    ['lgdt [rbx]', GDTR],
    ['lidt [rbx]', IDTR],
  ])('%s loads limit and base', (source, table) => {
    const data = [0x7f, 0x01, ...bytesOf(0xffff_8000_0000_1000n, 8)]
    const { cpu } = execute(source, { registers: { rbx: DATA }, data })
    expect(cpu.get64(table)).toBe(0xffff_8000_0000_1000n)
    expect(cpu.words[table + TABLE_LIMIT]).toBe(0x17f)
  })

  test('a base that is not canonical is #GP(0)', () => {
    const data = [0, 0, ...bytesOf(0x0001_0000_0000_0000n, 8)]
    expect(eventOf('lidt [rbx]', { registers: { rbx: DATA }, data })).toBe('#GP(0)')
    expect(eventOf('lidt [rbx]', { registers: { rbx: DATA }, data, cpu: 'diamond-rapids' })).toBe('')
  })

  test('in compatibility mode the base has 32 bits, 24 with a 16-bit operand', () => {
    const data = [0xff, 0xff, ...bytesOf(0x8877_6655_4433_2211n, 8)]
    const base = (source: string) => execute(source, { bits: 32, registers: { rbx: DATA }, data }).cpu.get64(GDTR)
    expect(base('lgdt [ebx]')).toBe(0x4433_2211n)
    expect(base('o16 lgdt [ebx]')).toBe(0x33_2211n)
  })
})

describe('SGDT, SIDT, SLDT, STR', () => {
  test('SGDT stores limit and base', () => {
    const { data } = execute('sgdt [rbx]', { registers: { rbx: DATA }, prepare: withGdt })
    expect(data(11)).toEqual([0x2f, 0, ...bytesOf(TABLES, 8), 0])
  })

  test('SGDT writes nothing when the end of its operand faults', () => {
    const outcome = execute('sgdt [rbx]', { registers: { rbx: DATA + 0xffan }, prepare: withGdt })
    expect(outcome.event).toBe('#PF(2)')
    expect(outcome.data(4096).slice(-6)).toEqual([0, 0, 0, 0, 0, 0])
  })

  test('STR and SLDT fill a register', () => {
    const source = 'mov eax, 0x20\nltr ax\nmov eax, 0x10\nlldt ax\nstr rcx\nsldt edx'
    expect(results(source, { prepare: withGdt, registers: { rcx: -1n, rdx: -1n } })).toMatchObject({
      rcx: 0x20n,
      rdx: 0x10n,
    })
  })

  test.each(['sgdt [rbx]', 'sidt [rbx]', 'sldt eax', 'str [rbx]'])(
    '%s at CPL 3: #GP(0) with CR4.UMIP only',
    (source) => {
      expect(eventOf(source, { cpl: 3, registers: { rbx: DATA } })).toBe('')
      expect(eventOf(source, { cpl: 3, registers: { rbx: DATA }, prepare: umip })).toBe('#GP(0)')
      expect(eventOf(source, { cpl: 0, registers: { rbx: DATA }, prepare: umip })).toBe('')
    },
  )
})

describe('LLDT and LTR', () => {
  test('load 64-bit bases; LTR marks the TSS busy', () => {
    const { cpu } = execute('lldt ax\nltr cx', { prepare: withGdt, registers: { rax: 0x10n, rcx: 0x20n } })
    expect(cpu.segment(LDTR)).toMatchObject({ selector: 0x10, base: 0xffff_8000_0012_3456n, limit: 0xfff })
    expect(cpu.segment(TR)).toMatchObject({ selector: 0x20, base: 0x7_0000n, limit: 0x67 })
    expect(cpu.segment(TR).access & 0xf).toBe(0xb)
    expect(cpu.machine.space(0n).read(TABLES + 0x25n, 1)[0]).toBe(0x8b)
  })

  test.each([
    ['ltr ax', 0n, '#GP(0)'],
    ['ltr ax', 0x10n, '#GP(10)'],
    ['ltr ax', 0x24n, '#GP(24)'],
    ['ltr ax', 0x30n, '#GP(30)'],
    ['lldt ax', 0x20n, '#GP(20)'],
    ['lldt ax', 0n, ''],
  ])('%s of %s: %s', (source, rax, event) => {
    expect(eventOf(source, { prepare: withGdt, registers: { rax } })).toBe(event)
  })
})

test.each(['lgdt [rbx]', 'lidt [rbx]', 'lldt ax', 'ltr ax'])('%s at CPL 3 is #GP(0)', (source) => {
  expect(eventOf(source, { cpl: 3, registers: { rbx: DATA } })).toBe('#GP(0)')
})
