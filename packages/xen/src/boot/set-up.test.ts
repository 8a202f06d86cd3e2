import { describe, expect, it } from 'vitest'
import { xenMachine } from '../../test/xen-machine.js'
import type { SetUp } from './set-up.js'

const setUps = (cpu: string, request = {}): Record<'idt' | 'fred', SetUp | null> => {
  const { boot, machine } = xenMachine(cpu, request)
  return boot.facts!(machine.cpu).setUps as Record<'idt' | 'fred', SetUp | null>
}

describe('A17: the two set-ups side by side', () => {
  it('the IDT needs tables in memory, descriptors, tokens and five stacks; FRED nothing but MSRs and two stacks', () => {
    expect(setUps('panther-lake')).toEqual({
      idt: {
        tables: { idt: 4096, tss: 104, shadowStackTable: 64 },
        descriptors: { gates: 256, codeSegments: 1, tss: 1 },
        msrs: [
          'IA32_S_CET',
          'IA32_LSTAR',
          'IA32_CSTAR',
          'IA32_STAR',
          'IA32_FMASK',
          'IA32_SYSENTER_CS',
          'IA32_SYSENTER_ESP',
          'IA32_SYSENTER_EIP',
          'IA32_PL0_SSP',
          'IA32_INTERRUPT_SSP_TABLE_ADDR',
        ],
        // A gate for each vector, LSTAR, CSTAR, SYSENTER.
        entryPoints: 259,
        stacks: 5,
        shadowStacks: 5,
        poisonedPointers: 9,
        tokens: 5,
      },
      fred: {
        tables: { idt: 0, tss: 0, shadowStackTable: 0 },
        descriptors: { gates: 0, codeSegments: 0, tss: 0 },
        msrs: [
          'IA32_STAR',
          'IA32_FMASK',
          'IA32_FRED_RSP0',
          'IA32_PL0_SSP',
          'IA32_FRED_RSP1',
          'IA32_FRED_SSP1',
          'IA32_FRED_RSP2',
          'IA32_FRED_SSP2',
          'IA32_FRED_RSP3',
          'IA32_FRED_SSP3',
          'IA32_FRED_STKLVLS',
          'IA32_FRED_CONFIG',
          'IA32_S_CET',
        ],
        entryPoints: 2,
        stacks: 2,
        shadowStacks: 2,
        poisonedPointers: 4,
        tokens: 0,
      },
    })
  })

  it('is the same whichever of them was booted, and follows the command line in all else', () => {
    const request = { cmdline: 'fred=1 cet=0', options: { revision: 'upstream' } }
    const both = setUps('panther-lake', request)
    expect(setUps('panther-lake', { ...request, cmdline: 'cet=0' })).toEqual(both)
    expect([both.idt?.tokens, both.idt?.tables.shadowStackTable, both.fred?.shadowStacks]).toEqual([0, 0, 0])
    expect(both.fred).toMatchObject({ stacks: 3, poisonedPointers: 1 })
  })

  it('AMD has no SYSENTER in long mode, and no branch tracking', () => {
    const { idt } = setUps('zen6')
    expect(idt?.entryPoints).toBe(258)
    expect(idt?.msrs).not.toContain('IA32_SYSENTER_EIP')
  })

  it('a delivery that the boot does not come to is null', () => {
    expect(setUps('skylake').fred).toBeNull()
    expect(setUps('panther-lake', { cmdline: 'pvshim' }).fred).toBeNull()
  })
})
