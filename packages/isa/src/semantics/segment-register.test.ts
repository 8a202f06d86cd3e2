import { BLOCKED_BY_MOV_SS, type Cpu, DS, FS, FS_BASE, GDTR, PENDING_TRAP, SS, TABLE_LIMIT } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { bytesOf, DATA, eventOf, execute, results, STACK, statusOf, TABLES } from './test-machine.js'

const DATA_0 = 0x00cf_9300_0000_ffffn
const DATA_3 = 0x00cf_f300_0000_ffffn
const FAR_DATA = 0x12cf_f334_5678_ffffn
const ABSENT = 0x00cf_7300_0000_ffffn

/** A GDT: null, ring 0 data at 8, ring 3 data at 10h, data with a base at 18h, an absent one at 20h. */
function withGdt(cpu: Cpu): void {
  const entries = [0n, DATA_0, DATA_3, FAR_DATA, ABSENT]
  cpu.machine.space(0n).write(TABLES, Uint8Array.from(entries.flatMap((entry) => bytesOf(entry, 8))))
  cpu.set64(GDTR, TABLES)
  cpu.words[GDTR + TABLE_LIMIT] = entries.length * 8 - 1
}

const prepare = withGdt

describe('MOV to a segment register', () => {
  test('loads selector and cache', () => {
    const { cpu } = execute('mov fs, eax', { prepare, registers: { rax: 0xffff_001bn } })
    expect(cpu.segment(FS)).toMatchObject({ selector: 0x1b, base: 0x1234_5678n })
    expect(cpu.get64(FS_BASE)).toBe(0x1234_5678n)
  })

  test('reads 16 bits from memory', () => {
    const data = bytesOf(0xdead_0010n, 4)
    const registers = { rbx: DATA + 0xffen }
    expect(execute('mov ds, [rbx]', { prepare, registers: { rbx: DATA }, data }).cpu.segment(DS).selector).toBe(0x10)
    expect(eventOf('mov ds, [rbx]', { prepare, registers })).toBe('')
  })

  test.each([
    ['mov ds, eax', 0x23n, '#NP(20)'],
    ['mov ss, eax', 0x10n, '#GP(10)'],
    ['mov ss, eax', 0n, ''],
    ['mov ds, eax', 0x30n, '#GP(30)'],
  ])('%s of %s: %s', (source, rax, event) => {
    expect(eventOf(source, { prepare, registers: { rax } })).toBe(event)
  })
})

describe('SS', () => {
  test.each(['mov ss, eax', 'lss ecx, [rbx]'])('%s blocks events for one instruction (SDM 3A 6.8.3)', (source) => {
    const setup = { prepare, registers: { rax: 8n, rbx: DATA }, data: [1, 0, 0, 0, 8, 0] }
    const { cpu } = execute(source, setup)
    expect(cpu.segment(SS).selector).toBe(8)
    expect(statusOf(cpu)).toBe(BLOCKED_BY_MOV_SS)
    expect(statusOf(execute(`${source}\nnop`, setup).cpu)).toBe(0)
  })

  test('its single step is lost, that of the next instruction is not', () => {
    const setup = { prepare, registers: { rax: 8n }, rflags: 0x102 }
    expect(statusOf(execute('mov ss, eax\nnop', { ...setup, steps: 1 }).cpu)).toBe(BLOCKED_BY_MOV_SS)
    expect(statusOf(execute('mov ss, eax\nnop', { ...setup, steps: 2 }).cpu)).toBe(PENDING_TRAP)
  })

  test('POP SS in compatibility mode moves ESP by the width of the old stack', () => {
    const outcome = execute('push eax\npop ss', { bits: 32, prepare, registers: { rax: 8n } })
    expect(outcome.cpu.rsp).toBe(STACK)
    expect(statusOf(outcome.cpu)).toBe(BLOCKED_BY_MOV_SS)
  })
})

describe('PUSH and POP', () => {
  test('POP FS takes the low 16 bits of its slot', () => {
    const outcome = execute('push rax\npop fs', { prepare, registers: { rax: -0x10000n | 0x1bn } })
    expect(outcome.cpu.segment(FS).selector).toBe(0x1b)
    expect(outcome.cpu.rsp).toBe(STACK)
  })

  test('a refused POP leaves RSP alone', () => {
    const outcome = execute('push rax\npop gs', { prepare, registers: { rax: 0x23n } })
    expect(outcome.event).toBe('#NP(20)')
    expect(outcome.cpu.rsp).toBe(STACK - 8n)
  })
})

test('MOV from a segment register fills a register and writes 16 bits of memory', () => {
  expect(results('mov rax, ds', { registers: { rax: -1n } })).toEqual({ rax: 0x10n })
  expect(results('mov ax, ds', { registers: { rax: -1n } })).toEqual({ rax: 0xffff_ffff_ffff_0010n })
  expect(execute('mov [rbx], ds', { registers: { rbx: DATA }, data: [9, 9, 9] }).data(3)).toEqual([0x10, 0, 9])
})

describe('far pointers', () => {
  test('LFS loads register and segment', () => {
    const outcome = execute('lfs rcx, [rbx]', {
      prepare,
      registers: { rbx: DATA },
      data: [...bytesOf(0x1122_3344_5566n, 8), 0x1b, 0],
    })
    expect(outcome.changed).toMatchObject({ rcx: 0x1122_3344_5566n })
    expect(outcome.cpu.segment(FS).base).toBe(0x1234_5678n)
  })

  test('a refused selector leaves the register alone', () => {
    expect(execute('lgs ecx, [rbx]', { prepare, registers: { rbx: DATA }, data: [1, 0, 0, 0, 0x23, 0] })).toMatchObject(
      {
        event: '#NP(20)',
        changed: {},
      },
    )
  })
})
