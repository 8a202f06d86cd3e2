import { AF, CF, PF, SF, ZF } from '@trapframe/core'
import { expect, test } from 'vitest'
import { execute } from './test-machine.js'

test.each([
  ['rol al, 1', 0x81n, 0, 0x03n, 'CF OF'],
  ['rol rax, 60', 0x1234n, 0, 0x4000_0000_0000_0123n, 'CF'],
  ['ror al, 1', 0x01n, 0, 0x80n, 'CF OF'],
  ['ror eax, 16', 0x1234_5678n, 0, 0x5678_1234n, ''],
  ['rol al, 8', 0x81n, 0, 0x81n, 'CF OF'],
  ['rcl al, 1', 0x80n, CF, 0x01n, 'CF OF'],
  ['rcr al, 1', 0x01n, CF, 0x80n, 'CF OF'],
  ['rcl al, 9', 0x5an, CF, 0x5an, 'CF OF'],
  ['rcr rax, 1', 0n, CF, 0x8000_0000_0000_0000n, 'OF'],
])('%s', (source, before, rflags, after, flags) => {
  const outcome = execute(source, { registers: { rax: before }, rflags: 2 | rflags })
  expect(outcome.cpu.gpr(0)).toBe(after)
  expect(outcome.flags).toBe(flags)
})

test('ROL changes CF and OF only, and by 0 nothing', () => {
  const others = PF | AF | ZF | SF
  expect(execute('rol eax, 1', { rflags: 2 | CF | others }).flags).toBe('PF AF ZF SF')
  expect(execute('rol eax, 32', { rflags: 2 | CF | others }).flags).toBe('CF PF AF ZF SF')
})
