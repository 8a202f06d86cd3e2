import type { CodeSize, Decoded } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { createDecoder } from './decoder.js'

const decoder = createDecoder()

function decode(hex: string, codeSize: CodeSize = 64, vendor: 'intel' | 'amd' = 'intel') {
  return decoder.decode(Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex')), codeSize, vendor)
}

function decoded(hex: string, codeSize: CodeSize = 64, vendor: 'intel' | 'amd' = 'intel'): Decoded {
  const result = decode(hex, codeSize, vendor)
  if (result === null || typeof result === 'string') throw new Error(`${hex} is ${result}`)
  return result
}

/** Mnemonic, operand size and length of an instruction, as in `iret/8/2`. */
function brief(hex: string, codeSize: CodeSize = 64, vendor: 'intel' | 'amd' = 'intel'): string {
  const { mnemonic, operandSize, length } = decoded(hex, codeSize, vendor)
  return `${mnemonic}/${operandSize}/${length}`
}

describe('what FRED and CET add', () => {
  test.each([
    ['f20f01ca', 'erets'],
    ['f30f01ca', 'eretu'],
    ['f20f00f0', 'lkgs'],
    ['f20f0033', 'lkgs'],
    ['f30f01e8', 'setssbsy'],
    ['f30fae7500', 'clrssbsy'],
    ['f30f0128', 'rstorssp'],
    ['f30f01ea', 'saveprevssp'],
    ['f30faee8', 'incsspd'],
    ['f3480faee8', 'incsspq'],
    ['f30f1ec8', 'rdsspd'],
    ['f3480f1ec8', 'rdsspq'],
    ['0f38f60b', 'wrssd'],
    ['480f38f60b', 'wrssq'],
    ['660f38f50b', 'wrussd'],
    ['66480f38f50b', 'wrussq'],
    ['f30f1efa', 'endbr64'],
    ['f30f1efb', 'endbr32'],
  ])('%s is %s', (hex, mnemonic) => {
    expect(decoded(hex).mnemonic).toBe(mnemonic)
  })

  test.each(['f20f01ca', 'f30f01ca', 'f20f00f0', '0f01f8'])('%s is #UD in compatibility mode', (hex) => {
    expect(decode(hex, 32)).toBeNull()
  })
})

describe('a mnemonic is an operation; its width is the operand size', () => {
  test.each([
    ['IRET', 'cf', 'iret/4/1', '48cf', 'iret/8/2', '66cf', 'iret/2/2'],
    ['far RET', 'cb', 'retf/4/1', '48ca0800', 'retf/8/4', '66cb', 'retf/2/2'],
    ['SYSRET', '0f07', 'sysret/4/2', '480f07', 'sysret/8/3', '660f07', 'sysret/4/3'],
    ['SYSEXIT', '0f35', 'sysexit/4/2', '480f35', 'sysexit/8/3', '660f35', 'sysexit/4/3'],
    ['PUSHF', '9c', 'pushf/8/1', '669c', 'pushf/2/2', '489c', 'pushf/8/2'],
    ['MOVS', 'a4', 'movs/1/1', '66a5', 'movs/2/2', '48a5', 'movs/8/2'],
    ['STOS', 'aa', 'stos/1/1', 'ab', 'stos/4/1', '48ab', 'stos/8/2'],
    ['CMPS', 'a6', 'cmps/1/1', 'a7', 'cmps/4/1', '48a7', 'cmps/8/2'],
    ['INS', '6c', 'ins/1/1', '6d', 'ins/4/1', '666d', 'ins/2/2'],
    ['PUSH', '50', 'push/8/1', '6650', 'push/2/2', '6a05', 'push/8/2'],
    ['LGDT', '0f0113', 'lgdt/8/3', '660f0113', 'lgdt/8/4', '480f0113', 'lgdt/8/4'],
    ['MOV CR', '0f22e0', 'mov/8/3', '660f22e0', 'mov/8/4', '440f22c0', 'mov/8/4'],
  ])('%s', (_, ...pairs) => {
    for (let i = 0; i < pairs.length; i += 2) expect(brief(pairs[i]!)).toBe(pairs[i + 1])
  })

  test('far CALL and JMP have names of their own; SSE MOVSD and CMPSD keep theirs', () => {
    const names = ['ff18', 'ff28', 'ff10', 'ff20', 'a5', 'f20f10c1', 'a7', 'f20fc2c100'].map(
      (hex) => decoded(hex).mnemonic,
    )
    expect(names).toEqual(['callf', 'jmpf', 'call', 'jmp', 'movs', 'movsd', 'cmps', 'cmpsd'])
    expect(decoded('9a785634120800', 32).mnemonic).toBe('callf')
  })

  test('int, int1, int3 and into stay apart', () => {
    expect(['cd03', 'f1', 'cc'].map((hex) => decoded(hex).mnemonic)).toEqual(['int', 'int1', 'int3'])
    expect(decoded('ce', 32).mnemonic).toBe('into')
  })

  test('reserved NOPs are nop', () => {
    expect(decoded('0f1bc0').mnemonic).toBe('nop')
  })

  test('legacy modes have their own defaults', () => {
    expect(brief('9c', 32)).toBe('pushf/4/1')
    expect(brief('669c', 32)).toBe('pushf/2/2')
    expect(brief('9c', 16)).toBe('pushf/2/1')
    expect(brief('e80000', 16)).toBe('call/2/3')
    expect(brief('66e800000000', 16)).toBe('call/4/6')
    expect(brief('60', 32)).toBe('pusha/4/1')
    expect(brief('0f0113', 32)).toBe('lgdt/4/3')
  })
})

describe('Intel and AMD', () => {
  test('66h before a near branch counts on AMD only', () => {
    expect(brief('66e800000000', 64, 'intel')).toBe('call/8/6')
    expect(brief('66e800000000', 64, 'amd')).toBe('call/2/4')
    expect(brief('66c3', 64, 'intel')).toBe('ret/8/2')
    expect(brief('66c3', 64, 'amd')).toBe('ret/2/2')
  })

  test('a far CALL with REX.W takes m16:64 on Intel, m16:32 with 8-byte pushes on AMD', () => {
    expect(decoded('48ff1b', 64, 'intel')).toMatchObject({ mnemonic: 'callf', operandSize: 8 })
    expect(decoded('48ff1b', 64, 'intel').operands[0]).toMatchObject({ size: 10 })
    expect(decoded('48ff1b', 64, 'amd')).toMatchObject({ mnemonic: 'callf', operandSize: 8 })
    expect(decoded('48ff1b', 64, 'amd').operands[0]).toMatchObject({ size: 6 })
    expect(decoded('ff1b', 64, 'amd')).toMatchObject({ operandSize: 4 })
  })

  test('LOCK MOV CR0 is MOV CR8 on AMD and #UD on Intel', () => {
    expect(decoded('f00f22c0', 32, 'amd').operands[0]).toMatchObject({ register: 8, size: 4 })
    expect(decoded('f00f22c0', 32, 'amd').lock).toBe(false)
    expect(decode('f00f22c0', 64, 'intel')).toBeNull()
  })

  test('each has instructions that are #UD on the other, and nobody has 3DNow! and PadLock any more', () => {
    const [vmcall, vmmcall, encls, pi2fd, xstore] = ['0f01c1', '0f01d9', '0f01cf', '0f0fc00d', '0fa7c0'] as const
    expect([vmcall, vmmcall, encls].map((hex) => decode(hex, 64, 'amd') === null)).toEqual([true, false, true])
    expect([vmcall, vmmcall, encls].map((hex) => decode(hex, 64, 'intel') === null)).toEqual([false, true, false])
    for (const vendor of ['intel', 'amd'] as const)
      expect([decode(pi2fd, 64, vendor), decode(xstore, 64, vendor)]).toEqual([null, null])
  })

  test('UD0 has a ModRM byte on Intel only', () => {
    expect(brief('0fffc0', 64, 'intel')).toBe('ud0/4/3')
    expect(decoded('0fffc0', 64, 'amd')).toMatchObject({ mnemonic: 'ud0', length: 2 })
  })
})

describe('undefined opcodes are null', () => {
  test.each([
    ['06', 'PUSH ES'],
    ['d6', 'SALC'],
    ['9a000000000000', 'CALL ptr16:32'],
    ['0f04', 'no such opcode'],
    ['0f20c8', 'MOV from CR1'],
    ['0f22e8', 'MOV to CR5'],
    ['440f21c0', 'MOV from DR8'],
    ['8ec8', 'MOV to CS'],
    ['8cf0', 'MOV from a segment register 6'],
    ['0f24c0', 'MOV from TR'],
    ['f089c0', 'LOCK MOV'],
    ['f090', 'LOCK NOP'],
    ['8dc0', 'LEA of a register'],
    ['fed0', 'group 4 /2'],
    ['ffff', 'group 5 /7'],
    ['0fb800', 'JMPE'],
  ])('%s: %s', (hex) => {
    expect(decode(hex)).toBeNull()
  })

  test('UD0, UD1 and UD2 are instructions', () => {
    expect(['0fffc0', '0fb9c0', '0f0b'].map((hex) => decoded(hex).mnemonic)).toEqual(['ud0', 'ud1', 'ud2'])
  })
})

describe('prefixes', () => {
  test('lock, rep and repne', () => {
    expect(decoded('f00103')).toMatchObject({ lock: true, rep: false, repne: false })
    expect(decoded('f348a5')).toMatchObject({ lock: false, rep: true, repne: false })
    expect(decoded('f2ae')).toMatchObject({ rep: false, repne: true })
    expect(decoded('f30f1efa')).toMatchObject({ rep: false })
  })

  test('NOTRACK is a last 3Eh before an indirect near branch', () => {
    expect(decoded('3effe0').notrack).toBe(true)
    expect(decoded('3eff20').notrack).toBe(true)
    expect(decoded('3e64ff20').notrack).toBe(false)
    expect(decoded('3e90').notrack).toBe(false)
    expect(decoded('3eff28').notrack).toBe(false)
    expect(decoded('3effe0', 32).notrack).toBe(true)
  })

  test('67h halves the address size', () => {
    expect(decoded('67a5').addressSize).toBe(4)
    expect(decoded('a5').addressSize).toBe(8)
    expect(decoded('67a5', 32).addressSize).toBe(2)
    expect(decoded('67e305')).toMatchObject({ mnemonic: 'jecxz', addressSize: 4 })
  })
})

test('instructions of every kind share one shape', () => {
  const shape = (hex: string) => {
    const insn = decoded(hex)
    return [Object.keys(insn), ...insn.operands.map((operand) => Object.keys(operand))]
  }
  const [insn, operand] = shape('50')
  for (const hex of ['c3', '488b442408', '7405', 'cd80', '8ed8', '0f22e0', 'f3a4', '0f28c1', 'd9c1']) {
    const [keys, ...operands] = shape(hex)
    expect(keys).toEqual(insn)
    for (const keysOfOperand of operands) expect(keysOfOperand).toEqual(operand)
  }
})

test('an instruction outlives the bytes that it was decoded from', () => {
  const bytes = Uint8Array.from([0xcd, 0x80])
  const insn = decoder.decode(bytes, 64, 'intel') as Decoded
  bytes.fill(0x90)
  expect(insn.text).toBe('int 0x80')
})
