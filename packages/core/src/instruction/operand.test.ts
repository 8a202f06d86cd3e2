import { describe, expect, test } from 'vitest'
import type { Cpu } from '../cpu/cpu.js'
import { Fault } from '../event/fault.js'
import { createMachine } from '../machine/machine.js'
import { codeAccess32, dataAccess } from '../machine/reset.js'
import { pageFlags } from '../memory/access.js'
import { CR0_AM } from '../state/control.js'
import { CR0, CS, DS, FS, FS_BASE, RFLAGS } from '../state/registers.js'
import {
  BASE_RIP,
  type Decoded,
  NO_REGISTER,
  OPERAND_GPR,
  OPERAND_IMMEDIATE,
  OPERAND_MEMORY,
  OPERAND_SEGMENT,
  type Operand,
} from './decoded.js'
import { effectiveAddress, operandAddress, readOperand, writeOperand } from './operand.js'

const DATA = 0x20000n

function operand(parts: Partial<Operand>): Operand {
  return {
    kind: OPERAND_MEMORY,
    size: 8,
    register: NO_REGISTER,
    high: false,
    segment: DS,
    base: NO_REGISTER,
    index: NO_REGISTER,
    scale: 1,
    lo: 0,
    hi: 0,
    selector: 0,
    ...parts,
  }
}

function instruction(addressSize = 8): Decoded {
  return {
    mnemonic: 'test',
    length: 4,
    codeSize: 64,
    operandSize: 8,
    addressSize,
    operands: [],
    lock: false,
    rep: false,
    repne: false,
    notrack: false,
    text: '',
  }
}

function cpuWithData(): Cpu {
  const machine = createMachine({ cpu: 'panther-lake' })
  machine.space(0n).map(DATA, pageFlags('wu'))
  machine.space(0n).write(DATA, Uint8Array.from([0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]))
  return machine.cpu
}

const quad = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)

function address(cpu: Cpu, op: Operand, addressSize = 8): bigint {
  const lo = effectiveAddress(cpu, instruction(addressSize), op)
  return quad(lo, cpu.hi)
}

function value(cpu: Cpu, op: Operand): bigint {
  const lo = readOperand(cpu, instruction(), op)
  return quad(lo, cpu.hi)
}

function faultOf(action: () => unknown): Fault {
  try {
    action()
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown
    throw thrown
  }
  throw new Error('no fault')
}

describe('effective addresses (SDM 1 3.7.5)', () => {
  const cpu = cpuWithData()
  cpu.setGpr(3, 0xffff_ffff_ffff_fff0n)
  cpu.setGpr(1, 0x8000_0001n)
  cpu.rip = 0x7fff_ffff_fff0n

  test.each([
    ['base and displacement carry into the upper half', { base: 3, lo: 0x20 }, 0x10n],
    ['a negative displacement borrows', { base: 1, lo: -0x7000_0000, hi: -1 }, 0x1000_0001n],
    ['the index is scaled in 64 bits', { index: 1, scale: 8 }, 0x4_0000_0008n],
    ['all together', { base: 3, index: 1, scale: 2, lo: 0x10 }, 0x1_0000_0002n],
    ['an absolute 64-bit address', { lo: -1, hi: 0x7fff }, 0x7fff_ffff_ffffn],
    ['RIP-relative, from the next instruction', { base: BASE_RIP, lo: 0x20 }, 0x8000_0000_0010n],
  ])('%s', (_, parts, expected) => {
    expect(address(cpu, operand(parts))).toBe(expected)
  })

  test('32 and 16 bits wrap', () => {
    expect(address(cpu, operand({ base: 3, lo: 0x20 }), 4)).toBe(0x10n)
    expect(address(cpu, operand({ base: 3 }), 4)).toBe(0xffff_fff0n)
    expect(address(cpu, operand({ base: 3, lo: 0x1_0020 }), 2)).toBe(0x10n)
    expect(address(cpu, operand({ base: BASE_RIP, lo: 0x20 }), 4)).toBe(0x10n)
  })
})

describe('linear addresses', () => {
  test('FS and GS have a base in 64-bit mode, DS has none', () => {
    const cpu = cpuWithData()
    cpu.set64(FS_BASE, 0x1_0000_0000n)
    cpu.setSegment(DS, { selector: 0, base: 0x5000n, limit: 0, access: dataAccess(0) })
    const linear = (segment: number): bigint => {
      const lo = operandAddress(cpu, instruction(), operand({ segment, lo: 0x10 }), 8, false)
      return quad(lo, cpu.hi)
    }
    expect([linear(FS), linear(DS)]).toEqual([0x1_0000_0010n, 0x10n])
  })

  test('in compatibility mode the segment is checked', () => {
    const cpu = cpuWithData()
    cpu.setSegment(CS, { selector: 8, base: 0n, limit: 0xffffffff, access: codeAccess32(0) })
    cpu.setSegment(DS, { selector: 16, base: DATA, limit: 0xff, access: dataAccess(0) })
    const lo = operandAddress(cpu, instruction(4), operand({ lo: 0xf8 }), 8, false)
    expect(quad(lo, cpu.hi)).toBe(DATA + 0xf8n)
    expect(faultOf(() => operandAddress(cpu, instruction(4), operand({ lo: 0xf9 }), 8, false)).vector).toBe(13)
  })

  test('#AC(0) by the alignment asked for', () => {
    const cpu = cpuWithData()
    cpu.cpl = 3
    cpu.set64(CR0, cpu.cr0 | BigInt(CR0_AM))
    cpu.words[RFLAGS] = 0x40002
    cpu.refresh()
    const op = operand({ lo: 0x20002 })
    expect(faultOf(() => operandAddress(cpu, instruction(), op, 8, false)).vector).toBe(17)
    expect(operandAddress(cpu, instruction(), op, 8, false, 2)).toBe(0x20002)
  })
})

describe('reading', () => {
  const cpu = cpuWithData()
  cpu.setGpr(0, 0x8877_6655_8433_a2f1n)

  test.each([
    ['64 bits', { size: 8 }, 0x8877_6655_8433_a2f1n],
    ['32 bits', { size: 4 }, 0x8433_a2f1n],
    ['16 bits', { size: 2 }, 0xa2f1n],
    ['8 bits', { size: 1 }, 0xf1n],
    ['bits 15:8', { size: 1, high: true }, 0xa2n],
  ])('%s of a register, zero-extended', (_, parts, expected) => {
    expect(value(cpu, operand({ kind: OPERAND_GPR, register: 0, ...parts }))).toBe(expected)
  })

  test.each([
    [8, 0x1122_3344_5566_7788n],
    [4, 0x5566_7788n],
    [2, 0x7788n],
    [1, 0x88n],
  ])('%i bytes of memory', (size, expected) => {
    expect(value(cpu, operand({ lo: Number(DATA), size }))).toBe(expected)
  })

  test.each([
    [8, 0xffff_ffff_ffff_fff0n],
    [4, 0xffff_fff0n],
    [2, 0xfff0n],
    [1, 0xf0n],
  ])('an immediate of %i bytes', (size, expected) => {
    expect(value(cpu, operand({ kind: OPERAND_IMMEDIATE, size, lo: -16, hi: -1 }))).toBe(expected)
  })

  test('a segment register is its selector', () => {
    expect(value(cpu, operand({ kind: OPERAND_SEGMENT, register: CS, size: 2 }))).toBe(8n)
  })
})

describe('writing', () => {
  test.each([
    ['64 bits', { size: 8 }, 0xaaaa_bbbb_cccc_ddddn],
    ['32 bits clear the upper half', { size: 4 }, 0xcccc_ddddn],
    ['16 bits leave the rest', { size: 2 }, 0x1111_1111_1111_ddddn],
    ['8 bits leave the rest', { size: 1 }, 0x1111_1111_1111_11ddn],
    ['bits 15:8 leave the rest', { size: 1, high: true }, 0x1111_1111_1111_dd11n],
  ])('%s', (_, parts, expected) => {
    const cpu = cpuWithData()
    cpu.setGpr(0, 0x1111_1111_1111_1111n)
    writeOperand(
      cpu,
      instruction(),
      operand({ kind: OPERAND_GPR, register: 0, ...parts }),
      0xcccc_dddd | 0,
      0xaaaa_bbbb | 0,
    )
    expect(cpu.gpr(0)).toBe(expected)
  })

  test('memory, in its size', () => {
    const cpu = cpuWithData()
    writeOperand(cpu, instruction(), operand({ lo: Number(DATA), size: 2 }), 0xabcd, 0)
    expect(cpu.space.read64(DATA)).toBe(0x1122_3344_5566_abcdn)
  })

  test('a page that is not writable is #PF with W and P set', () => {
    const cpu = cpuWithData()
    cpu.space.map(DATA, pageFlags('u'))
    const fault = faultOf(() => writeOperand(cpu, instruction(), operand({ lo: Number(DATA) }), 0, 0))
    expect([fault.vector, fault.errorCode]).toEqual([14, 3])
  })
})
