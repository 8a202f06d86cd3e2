import { ANCHORS, callbackEntry, IRET_HYPERCALL_RETURN, vectorEntry } from '@trapframe/pv'
import { expect, describe as group, test } from 'vitest'
import { describe, number } from './number.js'

group('numbers of the recordings', () => {
  test.each<[string, bigint]>([
    ['0x0', 0n],
    ['0xffffffffffffffff', 0xffff_ffff_ffff_ffffn],
    ['kstack', 0x1c_4000n],
    ['kstack-0x38', 0x1c_3fc8n],
    ['code+0x2', ANCHORS.code + 2n],
    ['handler:0xf1', vectorEntry(0xf1)],
    ['handler:syscall32', callbackEntry('syscall32')],
    ['iretHypercallReturn', IRET_HYPERCALL_RETURN],
  ])('%s is read, and written again in the same way', (text, value) => {
    expect(number(text, 'x')).toBe(value)
    expect(describe(value, text)).toBe(text)
  })

  test('an address has the name that the recording prefers: the LDT’s second page is fsb', () => {
    expect(number('ldt+0x1000', 'x')).toBe(number('fsb', 'x'))
    expect(describe(ANCHORS.fsb, 'fsb')).toBe('fsb')
    expect(describe(ANCHORS.kstack - 8n, '0x0')).toBe('kstack-0x8')
    expect(describe(0xffff_82d0_4020_0000n)).toBe('0xffff82d040200000')
  })

  test.each([['code+2'], ['nowhere'], ['handler:0x100'], ['handler:intr'], ['12'], [12], [null], ['0xAB']])(
    '%j is no number',
    (value) => {
      expect(() => number(value, 'setup.start.rip')).toThrow(`setup.start.rip is no number: ${JSON.stringify(value)}`)
    },
  )
})
