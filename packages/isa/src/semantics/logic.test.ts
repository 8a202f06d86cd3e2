import { AF, CF, OF } from '@trapframe/core'
import { expect, test } from 'vitest'
import { bytesOf, DATA, execute } from './test-machine.js'

const ALL = { rflags: 2 | CF | AF | OF }

test.each([
  ['and rax, rdx', 0xf0f0_0000_0000_00f0n, 0xff00_0000_0000_0000n, 0xf000_0000_0000_0000n, 'PF SF'],
  ['or al, dl', 0n, 0n, 0n, 'PF ZF'],
  ['xor eax, eax', 0xffff_ffff_1234_5678n, 0n, 0n, 'PF ZF'],
  ['xor ax, dx', 0x8001n, 1n, 0x8000n, 'PF SF'],
  ['test rax, rdx', 0x8000_0000_0000_0000n, 0x8000_0000_0000_0000n, 0x8000_0000_0000_0000n, 'PF SF'],
])('%s clears CF, OF and AF', (source, rax, rdx, after, flags) => {
  const outcome = execute(source, { ...ALL, registers: { rax, rdx } })
  expect(outcome.cpu.gpr(0)).toBe(after)
  expect(outcome.flags).toBe(flags)
})

test('NOT changes no flag', () => {
  const outcome = execute('not eax', { ...ALL, registers: { rax: 0xffff_ffff_ffff_fff0n } })
  expect(outcome.cpu.gpr(0)).toBe(0xfn)
  expect(outcome.flags).toBe('CF AF OF')
})

test('an imm8 is sign-extended to the operand size', () => {
  expect(execute('and qword [rbx], -16', { registers: { rbx: DATA }, data: bytesOf(-1n, 8) }).data(8)).toEqual(
    bytesOf(-16n, 8),
  )
  expect(execute('or word [rbx], -1', { registers: { rbx: DATA } }).data(4)).toEqual([0xff, 0xff, 0, 0])
})
