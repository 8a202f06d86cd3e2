import {
  BASE_RIP,
  type CodeSize,
  type Decoded,
  NO_REGISTER,
  OPERAND_BRANCH,
  OPERAND_CONTROL,
  OPERAND_DEBUG,
  OPERAND_FAR,
  OPERAND_GPR,
  OPERAND_IMMEDIATE,
  OPERAND_MEMORY,
  OPERAND_OTHER,
  OPERAND_SEGMENT,
  OPERAND_X87,
  OPERAND_XMM,
} from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { createDecoder } from './decoder.js'

const decoder = createDecoder()

function operands(hex: string, codeSize: CodeSize = 64) {
  return (decoder.decode(Uint8Array.from(Buffer.from(hex, 'hex')), codeSize, 'intel') as Decoded).operands
}

const [DS, SS, FS, ES] = [3, 2, 4, 0]

describe('registers', () => {
  test('mov ah, r-something: AH is register 0, high; SPL is register 4', () => {
    expect(operands('88e0')).toMatchObject([
      { kind: OPERAND_GPR, size: 1, register: 0, high: false },
      { kind: OPERAND_GPR, size: 1, register: 0, high: true },
    ])
    expect(operands('4088e0')[1]).toMatchObject({ register: 4, high: false })
    expect(operands('4d89fc')).toMatchObject([
      { register: 12, size: 8 },
      { register: 15, size: 8 },
    ])
  })

  test('segment, control, debug, XMM, x87 and others', () => {
    expect(operands('8ee0')[0]).toMatchObject({ kind: OPERAND_SEGMENT, register: FS })
    expect(operands('0f20e0')[1]).toMatchObject({ kind: OPERAND_CONTROL, register: 4, size: 8 })
    expect(operands('0f20e0', 32)[1]).toMatchObject({ kind: OPERAND_CONTROL, register: 4, size: 4 })
    expect(operands('0f21f8')[1]).toMatchObject({ kind: OPERAND_DEBUG, register: 7 })
    expect(operands('410f28c1')[1]).toMatchObject({ kind: OPERAND_XMM, register: 9, size: 16 })
    expect(operands('d9c1')[0]).toMatchObject({ kind: OPERAND_X87, register: 1 })
    expect(operands('0fefc1')[0]).toMatchObject({ kind: OPERAND_OTHER, register: 0 })
  })
})

describe('memory', () => {
  test('mov rax, [rbx + rcx*8 + 0x10]', () => {
    expect(operands('488b44cb10')[1]).toMatchObject({
      kind: OPERAND_MEMORY,
      size: 8,
      base: 3,
      index: 1,
      scale: 8,
      lo: 0x10,
      hi: 0,
      segment: DS,
    })
  })

  test('a negative displacement is negative in both halves', () => {
    expect(operands('488b45f8')[1]).toMatchObject({ base: 5, lo: -8, hi: -1 })
  })

  test('mov eax, [rip + 0x10] keeps the displacement, whatever the length', () => {
    expect(operands('8b0510000000')[1]).toMatchObject({ base: BASE_RIP, index: NO_REGISTER, lo: 0x10, hi: 0 })
    expect(operands('c705f0ffffff78563412')[0]).toMatchObject({ base: BASE_RIP, lo: -16, hi: -1 })
    expect(operands('678b0510000000')[1]).toMatchObject({ base: BASE_RIP, lo: 0x10 })
  })

  test('an absolute address is sign-extended in 64-bit mode', () => {
    expect(operands('8b042500000080')[1]).toMatchObject({ base: NO_REGISTER, lo: -0x80000000, hi: -1 })
    expect(operands('48a18877665544332211')[1]).toMatchObject({ base: NO_REGISTER, lo: 0x55667788, hi: 0x11223344 })
  })

  test('the segment follows the base register and, in 64-bit mode, FS and GS alone', () => {
    expect(operands('8b4500')[1]).toMatchObject({ segment: SS })
    expect(operands('8b0424')[1]).toMatchObject({ segment: SS })
    expect(operands('418b0424')[1]).toMatchObject({ segment: DS })
    expect(operands('3e8b4500')[1]).toMatchObject({ segment: SS })
    expect(operands('3e8b4500', 32)[1]).toMatchObject({ segment: DS })
    expect(operands('648b4500')[1]).toMatchObject({ segment: FS })
    expect(operands('268b00', 32)[1]).toMatchObject({ segment: ES })
  })

  test('movsb is two memory operands, at ES:RDI and DS:RSI', () => {
    expect(operands('a4')).toMatchObject([
      { kind: OPERAND_MEMORY, base: 7, segment: ES, size: 1, lo: 0 },
      { kind: OPERAND_MEMORY, base: 6, segment: DS, size: 1, lo: 0 },
    ])
    expect(operands('64a4')).toMatchObject([{ segment: ES }, { segment: FS }])
  })

  test('size 0 where nothing is accessed, and far pointers and descriptors by their bytes', () => {
    expect(operands('488d03')[1]).toMatchObject({ size: 0 })
    expect(operands('0f0138')[0]).toMatchObject({ size: 0 })
    expect(operands('0f1f00')[0]).toMatchObject({ size: 0 })
    expect(operands('66ff28')[0]).toMatchObject({ size: 4 })
    expect(operands('ff28')[0]).toMatchObject({ size: 6 })
    expect(operands('48ff28')[0]).toMatchObject({ size: 10 })
    expect(operands('0f0113')[0]).toMatchObject({ size: 10 })
    expect(operands('0f0113', 32)[0]).toMatchObject({ size: 6 })
  })

  test('16-bit addressing: [bp + si + 8]', () => {
    expect(operands('8b4208', 16)[1]).toMatchObject({ base: 5, index: 6, lo: 8, segment: SS })
  })
})

describe('immediates, branches and far pointers', () => {
  test('an immediate has the sign that the instruction gives it', () => {
    expect(operands('cd80')[0]).toMatchObject({ kind: OPERAND_IMMEDIATE, size: 1, lo: 0x80, hi: 0 })
    expect(operands('4883c0f8')[1]).toMatchObject({ size: 8, lo: -8, hi: -1 })
    expect(operands('48c7c0ffffffff')[1]).toMatchObject({ size: 8, lo: -1, hi: -1 })
    expect(operands('b8ffffffff')[1]).toMatchObject({ size: 4, lo: -1, hi: 0 })
    expect(operands('48b88877665544332291')[1]).toMatchObject({ size: 8, lo: 0x55667788, hi: 0x91223344 | 0 })
    expect(operands('c8100001')).toMatchObject([
      { size: 2, lo: 0x10 },
      { size: 1, lo: 1 },
    ])
  })

  test('a branch is a displacement from the next instruction', () => {
    expect(operands('ebfe')[0]).toMatchObject({ kind: OPERAND_BRANCH, size: 8, lo: -2, hi: -1 })
    expect(operands('e800010000')[0]).toMatchObject({ size: 8, lo: 0x100, hi: 0 })
    expect(operands('0f84fcffff7f')[0]).toMatchObject({ lo: 0x7ffffffc, hi: 0 })
    expect(operands('ebfe', 32)[0]).toMatchObject({ size: 4, lo: -2, hi: -1 })
    expect(operands('ebfe', 16)[0]).toMatchObject({ size: 2, lo: -2, hi: -1 })
  })

  test('jmp 0x8:0x12345678', () => {
    expect(operands('ea785634120800', 32)[0]).toMatchObject({ kind: OPERAND_FAR, size: 6, selector: 8, lo: 0x12345678 })
  })
})
