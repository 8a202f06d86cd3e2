import { type Cpu, RF, SS } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { bytesOf, DATA, eventOf, execute, READ_ONLY, results, STACK } from './test-machine.js'

const at = (outcome: ReturnType<typeof execute>, address: bigint): bigint =>
  outcome.cpu.machine.space(0n).read64(address)

describe('PUSH', () => {
  test.each([
    ['push rax', 0x1122_3344_5566_7788n, 8n],
    ['push -2', -2n, 8n],
    ['push 0x7fffffff', 0x7fff_ffffn, 8n],
    ['push rsp', STACK, 8n],
    ['push fs', 0n, 8n],
  ])('%s', (source, value, size) => {
    const outcome = execute(source, { registers: { rax: 0x1122_3344_5566_7788n } })
    expect(outcome.cpu.rsp).toBe(STACK - size)
    expect(at(outcome, STACK - 8n)).toBe(BigInt.asUintN(64, value))
  })

  test('of 16 bits moves RSP by 2', () => {
    const outcome = execute('push ax', { registers: { rax: 0x7788n } })
    expect(outcome.cpu.rsp).toBe(STACK - 2n)
    expect(at(outcome, STACK - 8n)).toBe(0x7788_0000_0000_0000n)
  })

  test('faults leave RSP alone: #PF, #SS(0) for a non-canonical stack', () => {
    expect(execute('push rax', { registers: { rsp: DATA } })).toMatchObject({ event: '#PF(2)', changed: {} })
    expect(eventOf('push rax', { registers: { rsp: 0x8000_0000_0000n + 64n } })).toBe('#SS(0)')
    expect(execute('push qword [rbx]', { registers: { rbx: 0n } })).toMatchObject({ event: '#PF(0)', changed: {} })
  })
})

describe('POP', () => {
  test('RSP: the popped value wins', () => {
    expect(results('push 0x1234\npop rsp')).toEqual({ rsp: 0x1234n })
  })

  test('an address that RSP is part of counts from RSP after the pop (SDM 2B POP)', () => {
    const outcome = execute('push 1\npush 2\npop qword [rsp]')
    expect(at(outcome, STACK - 8n)).toBe(2n)
    expect(outcome.cpu.rsp).toBe(STACK - 8n)
  })

  test('into memory that faults leaves RSP alone', () => {
    const outcome = execute('pop qword [rbx]', { registers: { rbx: READ_ONLY, rsp: STACK - 8n } })
    expect(outcome).toMatchObject({ event: '#PF(3)', changed: {} })
  })

  test('16 bits', () => {
    expect(results('push 0x1234\npop ax', { registers: { rax: -1n } })).toEqual({
      rax: 0xffff_ffff_ffff_1234n,
      rsp: STACK - 6n,
    })
  })
})

describe('PUSHF and POPF', () => {
  const popped = (image: bigint, setup: Parameters<typeof execute>[1]): number =>
    Number(execute('push rax\npopfq', { ...setup, registers: { rax: image } }).cpu.rflags)

  test('PUSHF stores RFLAGS without RF and VM', () => {
    const outcome = execute('pushfq', { rflags: 0x2 | 0x4cd5 | RF })
    expect(at(outcome, STACK - 8n)).toBe(0x4cd7n)
  })

  test('POPF at CPL 0 changes everything but VM, VIF, VIP; RF is cleared', () => {
    expect(popped(0xffff_ffff_ffff_feffn, {})).toBe(0x24_7ed7)
  })

  test('POPF at CPL 3 changes neither IOPL nor IF', () => {
    expect(popped(0xffff_ffff_ffff_feffn, { cpl: 3 })).toBe(0x24_4cd7)
    expect(popped(0n, { cpl: 3, rflags: 0x202 })).toBe(0x202)
  })

  test('POPF at CPL 3 with IOPL 3 changes IF', () => {
    expect(popped(0n, { cpl: 3, rflags: 0x3202 })).toBe(0x3002)
  })

  test('POPFW leaves the upper bits alone', () => {
    const outcome = execute('push ax\npopfw', { rflags: 0x20_0002, registers: { rax: 0x08d5n } })
    expect(outcome.cpu.rflags).toBe(0x20_08d7n)
  })
})

describe('ENTER and LEAVE', () => {
  test('ENTER 32, 0 makes a frame and LEAVE drops it', () => {
    const outcome = execute('enter 32, 0', { registers: { rbp: 0x77n } })
    expect(outcome.changed).toMatchObject({ rbp: STACK - 8n, rsp: STACK - 40n })
    expect(at(outcome, STACK - 8n)).toBe(0x77n)
    expect(results('enter 32, 0\nleave', { registers: { rbp: 0x77n } })).toEqual({})
  })

  test('nesting copies the frame pointers of the outer levels and adds its own', () => {
    const outcome = execute('enter 8, 3', {
      registers: { rbp: DATA + 64n },
      data: [...bytesOf(0n, 48), 1, ...bytesOf(0n, 7), 2],
    })
    expect([1n, 2n, 3n, 4n].map((n) => at(outcome, STACK - 8n * n))).toEqual([DATA + 64n, 2n, 1n, STACK - 8n])
    expect(outcome.cpu.rsp).toBe(STACK - 40n)
  })

  test('ENTER faults when the end of its frame cannot be written, and changes no register', () => {
    const outcome = execute('enter 0x1000, 0', { registers: { rbp: 1n } })
    expect(outcome).toMatchObject({ event: '#PF(2)', changed: {} })
  })

  test('LEAVE reads at RBP and faults there', () => {
    expect(execute('leave', { registers: { rbp: 0n } })).toMatchObject({ event: '#PF(0)', changed: {} })
  })
})

describe('in compatibility mode', () => {
  test('the stack has 32 bits and ESP wraps', () => {
    expect(results('push eax\npop ecx', { bits: 32, registers: { rax: 5n } })).toEqual({ rcx: 5n })
    expect(eventOf('push eax', { bits: 32, registers: { rsp: 0n } })).toBe('#PF(2)')
  })

  test('PUSHAD and POPAD: eight registers, ESP as it was', () => {
    const registers = { rax: 1n, rcx: 2n, rdx: 3n, rbx: 4n, rbp: 5n, rsi: 6n, rdi: 7n }
    const outcome = execute('pushad', { bits: 32, registers })
    expect(outcome.changed).toMatchObject({ rsp: STACK - 32n })
    expect(at(outcome, STACK - 16n) & 0xffff_ffffn).toBe(4n)
    expect(at(outcome, STACK - 24n) >> 32n).toBe(STACK)
    expect(results('pushad\npopad', { bits: 32, registers })).toEqual({})
  })

  test('a fault in the middle of PUSHAD leaves ESP alone', () => {
    expect(execute('pushad', { bits: 32, registers: { rsp: STACK - 0x1000n + 16n } })).toMatchObject({
      event: '#PF(2)',
      changed: {},
    })
  })

  test('a limit of SS is #SS(0)', () => {
    const prepare = (cpu: Cpu) => cpu.setSegment(SS, { ...cpu.segment(SS), limit: 0xfff })
    expect(eventOf('push eax', { bits: 32, prepare })).toBe('#SS(0)')
  })
})
