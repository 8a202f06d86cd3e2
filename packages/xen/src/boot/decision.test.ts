import { describe, expect, it } from 'vitest'
import { parseCommandLine } from './command-line.js'
import { type BootDecision, decideBoot, type Revision } from './decision.js'

/** Decides for a CPU with the given features. */
function decide(revision: Revision, vendor: 'intel' | 'amd', features: string, cmdline = ''): BootDecision {
  const has = new Set(features.split(' '))
  return decideBoot({ revision, vendor, commandLine: parseCommandLine(cmdline), has: (name) => has.has(name) })
}

const deliveryOf = (...args: Parameters<typeof decide>): string => decide(...args).delivery

describe('X2: FRED or IDT', () => {
  it('rfc: FRED by default where CPUID has FRED and LKGS', () => {
    for (const vendor of ['intel', 'amd'] as const) {
      expect(deliveryOf('rfc', vendor, 'fred lkgs')).toBe('fred')
      expect(deliveryOf('rfc', vendor, 'fred')).toBe('idt')
      expect(deliveryOf('rfc', vendor, 'lkgs')).toBe('idt')
      expect(deliveryOf('rfc', vendor, '')).toBe('idt')
    }
  })

  it('upstream: FRED by default on AMD only, and LKGS is not needed', () => {
    expect(deliveryOf('upstream', 'amd', 'fred lkgs')).toBe('fred')
    expect(deliveryOf('upstream', 'amd', 'fred')).toBe('fred')
    expect(deliveryOf('upstream', 'amd', 'lkgs')).toBe('idt')
    expect(deliveryOf('upstream', 'intel', 'fred lkgs')).toBe('idt')
    expect(deliveryOf('upstream', 'intel', 'fred lkgs', 'fred=1')).toBe('fred')
  })

  it('fred=0 and no-fred are obeyed everywhere', () => {
    for (const revision of ['rfc', 'upstream'] as const) {
      for (const vendor of ['intel', 'amd'] as const) {
        expect(deliveryOf(revision, vendor, 'fred lkgs', 'fred=0')).toBe('idt')
        expect(deliveryOf(revision, vendor, 'fred lkgs', 'fred no-fred')).toBe('idt')
      }
    }
  })

  it('pvshim: IDT; only upstream lets fred=1 have its way', () => {
    for (const vendor of ['intel', 'amd'] as const) {
      expect(deliveryOf('rfc', vendor, 'fred lkgs', 'pvshim')).toBe('idt')
      expect(deliveryOf('rfc', vendor, 'fred lkgs', 'pvshim fred=1')).toBe('idt')
      expect(deliveryOf('upstream', vendor, 'fred lkgs', 'pv-shim')).toBe('idt')
      expect(deliveryOf('upstream', vendor, 'fred lkgs', 'pv-shim fred=1')).toBe('fred')
    }
  })

  it('a value that is no boolean leaves the default', () => {
    expect(deliveryOf('upstream', 'amd', 'fred lkgs', 'fred=2')).toBe('fred')
    expect(deliveryOf('upstream', 'intel', 'fred lkgs', 'fred=banana')).toBe('idt')
  })

  it('fred=1 without the hardware: a warning, before the line that says IDT', () => {
    for (const revision of ['rfc', 'upstream'] as const) {
      expect(decide(revision, 'intel', '', 'fred=1 pv=no-32').log).toEqual([
        'FRED not available, ignoring',
        'Using IDT event delivery',
      ])
    }
    expect(decide('rfc', 'intel', 'fred', 'fred=1').reasons).toEqual([
      'the command line says fred=1',
      'CPUID lacks LKGS',
    ])
  })

  it('gives its reasons', () => {
    expect(decide('rfc', 'intel', 'fred lkgs').reasons).toEqual(['CPUID has FRED and LKGS'])
    expect(decide('rfc', 'intel', '').reasons).toEqual(['CPUID lacks FRED and LKGS'])
    expect(decide('rfc', 'amd', 'fred lkgs', 'pvshim fred').reasons).toEqual([
      'the command line says pvshim, and the shim keeps the IDT',
    ])
    expect(decide('upstream', 'intel', 'fred lkgs').reasons).toEqual([
      'the command line does not say fred=1, and on Intel FRED is a tech preview',
    ])
    expect(decide('upstream', 'amd', 'fred').reasons).toEqual(['CPUID has FRED', 'FRED is the default on AMD'])
  })
})

describe('X3: PV32', () => {
  it('FRED turns it off, with a line in the log if it was on', () => {
    const on = decide('rfc', 'intel', 'fred lkgs')
    expect(on.pv32).toBe(false)
    expect(on.log).toEqual(['Disabling PV32 due to FRED', 'Using FRED event delivery'])
    const off = decide('rfc', 'intel', 'fred lkgs', 'pv=no-32')
    expect(off.pv32).toBe(false)
    expect(off.log).toEqual(['Using FRED event delivery'])
  })

  it('FRED wins over pv=32, and so does CET under the IDT', () => {
    expect(decide('rfc', 'intel', 'fred lkgs', 'pv=32').pv32).toBe(false)
    expect(decide('rfc', 'intel', 'cet-ss cet-ibt', 'pv=32').log).toEqual([
      'Using IDT event delivery',
      'Enabling Supervisor Shadow Stacks',
      'Enabling Indirect Branch Tracking',
      '  - Disabling PV32 due to CET',
    ])
  })

  it('without either it runs', () => {
    expect(decide('rfc', 'intel', '').pv32).toBe(true)
    expect(decide('rfc', 'intel', 'cet-ss cet-ibt', 'cet=0').pv32).toBe(true)
    expect(decide('rfc', 'intel', 'fred lkgs', 'pvshim').pv32).toBe(true)
  })

  it('the shim’s option does not turn CET off', () => {
    const decision = decide('upstream', 'intel', 'fred lkgs cet-ss', 'pv-shim')
    expect(decision).toMatchObject({ delivery: 'idt', pv32: false, shadowStacks: true })
    expect(decision.log.at(-1)).toBe('  - Disabling PV32 due to CET')
  })

  it('under FRED CET finds nothing left to disable', () => {
    expect(decide('rfc', 'amd', 'fred lkgs cet-ss').log).toEqual([
      'Disabling PV32 due to FRED',
      'Using FRED event delivery',
      'Enabling Supervisor Shadow Stacks',
    ])
  })
})
