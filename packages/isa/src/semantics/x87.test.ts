import { CR0, CR0_EM, CR0_MP, CR0_TS } from '@trapframe/core'
import { expect, test } from 'vitest'
import { eventOf } from './test-machine.js'

test.each([
  ['fnop', 0, ''],
  ['fnop', CR0_TS, '#NM'],
  ['fnop', CR0_EM, '#NM'],
  ['fninit', CR0_TS, '#NM'],
  ['fninit', 0, ''],
  ['wait', CR0_TS, ''],
  ['wait', CR0_MP, ''],
  ['wait', CR0_MP | CR0_TS, '#NM'],
  ['wait', CR0_EM, ''],
])('%s with CR0 bits %i: %s', (source, bits, event) => {
  expect(eventOf(source, { prepare: (cpu) => cpu.setControl(CR0, cpu.cr0 | BigInt(bits)) })).toBe(event)
})
