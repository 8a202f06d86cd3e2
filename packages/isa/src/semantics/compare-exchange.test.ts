import { describe, expect, test } from 'vitest'
import { bytesOf, DATA, eventOf, execute, READ_ONLY, results } from './test-machine.js'

const HIGH = 0xaaaa_bbbb_0000_0000n

describe('CMPXCHG', () => {
  test('equal: the destination is exchanged and the accumulator untouched', () => {
    const outcome = execute('cmpxchg ecx, edx', { registers: { rax: HIGH | 5n, rcx: HIGH | 5n, rdx: 9n } })
    expect(outcome.changed).toMatchObject({ rcx: 9n })
    expect(outcome.changed.rax).toBeUndefined()
    expect(outcome.flags).toBe('PF ZF')
  })

  test('not equal: the accumulator is loaded and a register destination untouched, its upper half too', () => {
    const outcome = execute('cmpxchg ecx, edx', { registers: { rax: HIGH | 5n, rcx: HIGH | 6n, rdx: 9n } })
    expect(outcome.changed).toMatchObject({ rax: 6n })
    expect(outcome.changed.rcx).toBeUndefined()
    expect(outcome.flags).toBe('CF PF AF SF')
  })

  test('memory must be writable even when not equal', () => {
    expect(eventOf('lock cmpxchg [rbx], ecx', { registers: { rbx: READ_ONLY, rax: 1n } })).toBe('#PF(3)')
  })
})

describe('CMPXCHG8B', () => {
  const data = bytesOf(0x2222_2222_1111_1111n, 8)

  test('equal', () => {
    const registers = { rsi: DATA, rax: 0x1111_1111n, rdx: 0x2222_2222n, rbx: 3n, rcx: 4n }
    const outcome = execute('cmpxchg8b [rsi]', { registers, data, rflags: 2 | 1 })
    expect(outcome.data(8)).toEqual(bytesOf(0x4_0000_0003n, 8))
    expect(outcome.flags).toBe('CF ZF')
  })

  test('not equal', () => {
    expect(results('cmpxchg8b [rsi]', { registers: { rsi: DATA, rax: HIGH, rdx: HIGH }, data })).toEqual({
      rax: 0x1111_1111n,
      rdx: 0x2222_2222n,
    })
  })
})

describe('CMPXCHG16B', () => {
  const data = [...bytesOf(1n, 8), ...bytesOf(2n, 8)]

  test('equal', () => {
    const registers = { rsi: DATA, rax: 1n, rdx: 2n, rbx: -3n, rcx: -4n }
    expect(execute('cmpxchg16b [rsi]', { registers, data }).data(16)).toEqual([...bytesOf(-3n, 8), ...bytesOf(-4n, 8)])
  })

  test('not equal', () => {
    expect(results('cmpxchg16b [rsi]', { registers: { rsi: DATA }, data })).toEqual({ rax: 1n, rdx: 2n })
  })

  test('#GP(0) for an address that is not 16-byte aligned', () => {
    expect(eventOf('cmpxchg16b [rsi]', { registers: { rsi: DATA + 8n } })).toBe('#GP(0)')
  })
})
