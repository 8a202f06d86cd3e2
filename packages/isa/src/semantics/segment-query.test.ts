import { type Cpu, GDTR, TABLE_LIMIT } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { bytesOf, DATA, execute, results, TABLES } from './test-machine.js'

const CODE_0 = 0x00af_9b00_0000_ffffn
const CODE_3 = 0x00af_fb00_0000_ffffn
const DATA_3 = 0x00cf_f300_0000_ffffn
const CONFORMING = 0x00af_9f00_0000_1fffn
const TSS = 0x0000_8b07_0000_0067n
const OLD_TSS = 0x0000_8307_0000_0067n
const EXECUTE_ONLY = 0x00af_f900_0000_ffffn
const READ_ONLY_DATA = 0x00cf_f100_0000_ffffn

function prepare(cpu: Cpu): void {
  const entries = [0n, CODE_0, CODE_3, DATA_3, CONFORMING, TSS, 0n, OLD_TSS, EXECUTE_ONLY, READ_ONLY_DATA]
  cpu.machine.space(0n).write(TABLES, Uint8Array.from(entries.flatMap((entry) => bytesOf(entry, 8))))
  cpu.set64(GDTR, TABLES)
  cpu.words[GDTR + TABLE_LIMIT] = entries.length * 8 - 1
}

describe('LAR and LSL', () => {
  test.each([
    ['lar eax, ecx', 0x8n, 0x00af_9b00n],
    ['lar rax, rcx', 0x28n, 0x0000_8b00n],
    ['lar ax, cx', 0x18n, 0xf300n],
    ['lsl eax, ecx', 0x18n, 0xffff_ffffn],
    ['lsl eax, ecx', 0x20n, 0xf1ff_ffffn],
    ['lsl rax, rcx', 0x28n, 0x67n],
  ])('%s of %s', (source, rcx, rax) => {
    const outcome = execute(source, { prepare, registers: { rcx } })
    expect(outcome.flags).toBe('ZF')
    expect(outcome.cpu.gpr(0)).toBe(rax)
  })

  test.each([
    ['a null selector', 'lar eax, ecx', 0n, 0 as const],
    ['beyond the table', 'lsl eax, ecx', 0x58n, 0 as const],
    ['a 16-bit TSS', 'lsl eax, ecx', 0x38n, 0 as const],
    ['ring 0 code seen from ring 3', 'lar eax, ecx', 0x8n, 3 as const],
    ['RPL above DPL', 'lar eax, ecx', 0xbn, 0 as const],
    ['an LDT selector without an LDT', 'lar eax, ecx', 0xcn, 0 as const],
  ])('%s: ZF = 0 and the register stays', (_, source, rcx, cpl) => {
    expect(results(source, { prepare, cpl, registers: { rcx }, rflags: 0x42 })).toEqual({})
    expect(execute(source, { prepare, cpl, registers: { rcx }, rflags: 0x42 }).flags).toBe('')
  })

  test('conforming code is visible from everywhere', () => {
    expect(execute('lar eax, ecx', { prepare, cpl: 3, registers: { rcx: 0x23n } }).flags).toBe('ZF')
  })
})

describe('VERR and VERW', () => {
  test.each([
    ['verr ax', 0x1bn, 3 as const, true],
    ['verw ax', 0x1bn, 3 as const, true],
    ['verr ax', 0x13n, 3 as const, true],
    ['verw ax', 0x13n, 3 as const, false],
    ['verr ax', 0x43n, 3 as const, false],
    ['verr ax', 0x4bn, 3 as const, true],
    ['verw ax', 0x4bn, 3 as const, false],
    ['verr ax', 0x8n, 3 as const, false],
    ['verr ax', 0x28n, 0 as const, false],
    ['verw ax', 0n, 0 as const, false],
  ])('%s of %s at CPL %i: %s', (source, rax, cpl, allowed) => {
    expect(execute(source, { prepare, cpl, registers: { rax } }).flags).toBe(allowed ? 'ZF' : '')
  })
})

describe('ARPL in compatibility mode', () => {
  test.each([
    [0x8n, 0x13n, 0xbn, 'ZF'],
    [0xbn, 0x11n, 0xbn, ''],
    [0x9n, 0x11n, 0x9n, ''],
  ])('%s with the RPL of %s', (rax, rcx, result, flags) => {
    const outcome = execute('arpl ax, cx', { bits: 32, registers: { rax, rcx } })
    expect(outcome.cpu.gpr(0)).toBe(result)
    expect(outcome.flags).toBe(flags)
  })

  test('in memory', () => {
    const outcome = execute('arpl [ebx], cx', { bits: 32, registers: { rbx: DATA, rcx: 3n }, data: [8, 0, 7] })
    expect(outcome.data(3)).toEqual([0xb, 0, 7])
  })
})
