import { CR4, IDTR, readMsr, TABLE_LIMIT, writeMsr } from '@trapframe/core'
import { IA32_FRED_CONFIG, IA32_FRED_RSP0, IA32_FRED_SSP0, IA32_FRED_SSP1, IA32_FRED_STKLVLS } from '@trapframe/fred'
import { describe, expect, it } from 'vitest'
import { xenMachine } from '../../test/xen-machine.js'
import { stackOf } from '../layout/memory.js'

const fredMachine = (revision: 'rfc' | 'upstream') => xenMachine('zen6', { delivery: 'fred', options: { revision } })
const levels = ({ cpu }: ReturnType<typeof xenMachine>) => {
  const stack = stackOf(cpu.id).linear
  return {
    rsp: [0, 1, 2, 3].map((level) => readMsr(cpu, IA32_FRED_RSP0 + level) - stack),
    ssp: [IA32_FRED_SSP0, IA32_FRED_SSP1, IA32_FRED_SSP1 + 1, IA32_FRED_SSP1 + 2].map(
      (msr) => readMsr(cpu, msr) - stack,
    ),
    stackLevels: readMsr(cpu, IA32_FRED_STKLVLS),
  }
}

describe('FRED’s MSRs', () => {
  it('X5, rfc: only #DF has a level; RSP and SSP of SL1 and SL2 point into each other’s pages', () => {
    expect(levels(fredMachine('rfc'))).toEqual({
      rsp: [0x7fc0n, 0xc00n, 0x800n, 0x5000n],
      ssp: [0x6000n, 0x4000n, 0x3000n, 0x1000n],
      stackLevels: 3n << 16n,
    })
  })

  it('upstream: #MC has SL2 and its own stack, SL1 stays poisoned', () => {
    expect(levels(fredMachine('upstream'))).toEqual({
      rsp: [0x7fc0n, 0xc00n, 0x2000n, 0x5000n],
      ssp: [0x6000n, 0x4000n, 0x400n, 0x1000n],
      stackLevels: (3n << 16n) | (2n << 36n),
    })
  })

  it('A7: the entry page, nothing optional; LSTAR, CSTAR and SYSENTER stay unused', () => {
    const { cpu, label } = fredMachine('rfc')
    expect(readMsr(cpu, IA32_FRED_CONFIG)).toBe(label('entry_FRED_R3'))
    expect(label('entry_FRED_R3') & 0xfffn).toBe(0n)
    for (const msr of [0xc000_0082, 0xc000_0083, 0x174, 0x175, 0x176]) expect(readMsr(cpu, msr)).toBe(0n)
    expect(cpu.get64(CR4) >> 32n).toBe(1n)
  })

  it('A8: STAR in both revisions, FMASK in the RFC’s only', () => {
    for (const revision of ['rfc', 'upstream'] as const) {
      const { cpu } = fredMachine(revision)
      expect(readMsr(cpu, 0xc000_0081)).toBe(0xe023_e008_0000_0000n)
      expect(readMsr(cpu, 0xc000_0084)).toBe(revision === 'rfc' ? 0x74700n : 0n)
    }
  })

  it('A7: no IDT, a TSS whose limit reaches nothing, no LDT', () => {
    const { cpu } = fredMachine('rfc')
    expect(cpu.get64(IDTR)).toBe(0n)
    expect(cpu.words[IDTR + TABLE_LIMIT]).toBe(0)
    expect(cpu.segment(7)).toMatchObject({ selector: 0xe040, limit: 0 })
    expect(cpu.space.read64(cpu.segment(7).base + 4n)).toBe(stackOf(0).linear + 0x8000n - 80n)
    expect(cpu.segment(6).selector).toBe(0)
  })

  it('A6, A9: no tokens: SSPs point at the ends of the shadow stacks; of the restore token RSTORSSP has left its own mark', () => {
    const { cpu } = fredMachine('rfc')
    const stack = stackOf(0).linear
    expect(cpu.ssp).toBe(stack + 0x6000n)
    for (const end of [0x400n, 0x800n, 0xc00n, 0x1000n]) expect(cpu.space.read64(stack + end - 8n)).toBe(0n)
    // A previous-SSP token: bits 1 and 0, and the SSP of before, 0. Nothing can take it for a restore token.
    expect(cpu.space.read64(stack + 0x6000n - 8n)).toBe(3n)
  })

  it('A14: the poison of the IDT is refused here: WRMSR of an address that is not canonical is #GP(0)', () => {
    const { cpu } = fredMachine('rfc')
    expect(() => writeMsr(cpu, IA32_FRED_RSP0 + 1, 0x8600_1111_1111_1100n)).toThrow(
      expect.objectContaining({ vector: 13, errorCode: 0 }),
    )
  })
})
