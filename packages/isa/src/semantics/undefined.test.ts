import { describe, expect, test } from 'vitest'
import { DATA, eventOf, execute } from './test-machine.js'

test.each([
  ...[
    'ud0 eax, eax',
    'ud1 eax, eax',
    'ud2',
    'rsm',
    'getsec',
    'rdpkru',
    'wrpkru',
    'clui',
    'stui',
    'vmfunc',
    'encls',
    'enclu',
  ],
  ...['monitor', 'mwait', 'vzeroupper', 'vmovups xmm0, xmm1'],
])('%s is #UD', (source) => {
  expect(execute(source)).toMatchObject({ event: '#UD', changed: {} })
})

test.each(['vmmcall', 'vmrun', 'stgi', 'clgi', 'skinit'])('%s is #UD on AMD without EFER.SVME', (source) => {
  expect(execute(source, { cpu: 'zen4', cpl: 3 })).toMatchObject({ event: '#UD', changed: {} })
})

describe('BOUND in compatibility mode', () => {
  const setup = (rax: bigint) => ({
    bits: 32 as const,
    registers: { rax, rbx: DATA },
    data: [0xfe, 0xff, 0xff, 0xff, 5],
  })

  test.each([
    [-2n, ''],
    [5n, ''],
    [0n, ''],
    [-3n, '#BR'],
    [6n, '#BR'],
  ])('%s within [-2, 5]: %s', (index, event) => {
    expect(eventOf('bound eax, [ebx]', setup(BigInt.asUintN(32, index)))).toBe(event)
  })

  test('does not exist in 64-bit mode', () => {
    expect(eventOf('db 0x62, 0x03')).toBe('#UD')
  })
})
