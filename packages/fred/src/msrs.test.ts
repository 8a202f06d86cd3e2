import { createMachine, Fault, type Machine, readMsr, writeMsr } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { fred } from './plugin.js'

const machineWith = (cpu: string): Machine => createMachine({ cpu, plugins: [fred()] })

/** What WRMSR comes to: the value that RDMSR then returns, or the vector and error code of the fault. */
function written(machine: Machine, index: number, value: bigint): bigint | string {
  try {
    writeMsr(machine.cpu, index, value)
  } catch (thrown) {
    if (thrown instanceof Fault) return `vector ${thrown.vector}, error code ${thrown.errorCode}`
    throw thrown
  }
  return readMsr(machine.cpu, index)
}

const REFUSED = 'vector 13, error code 0'
const FRED_MSRS = [0x1c4, 0x1c5, 0x1cc, 0x1cd, 0x1ce, 0x1cf, 0x1d0, 0x1d1, 0x1d2, 0x1d3, 0x1d4]

describe('A5, A14: the MSRs of FRED and what WRMSR refuses', () => {
  const machine = machineWith('panther-lake')

  test.each([0x1cc, 0x1cd, 0x1ce, 0x1cf])('IA32_FRED_RSPn %i: canonical, aligned to 64 bytes', (index) => {
    expect(written(machine, index, 0xffff_8000_0000_1fc0n)).toBe(0xffff_8000_0000_1fc0n)
    expect(written(machine, index, 0n)).toBe(0n)
    expect(written(machine, index, 0x8000_0000_0000n)).toBe(REFUSED)
    for (const bit of [0n, 1n, 2n, 3n, 4n, 5n]) expect(written(machine, index, 0x1000n | (1n << bit))).toBe(REFUSED)
    expect(readMsr(machine.cpu, index)).toBe(0n)
  })

  test.each([0x1d1, 0x1d2, 0x1d3])('IA32_FRED_SSPn %i: canonical, aligned to 8 bytes', (index) => {
    expect(written(machine, index, 0x7fff_ffff_fff8n)).toBe(0x7fff_ffff_fff8n)
    expect(written(machine, index, 0xffff_7fff_ffff_fff8n)).toBe(REFUSED)
    for (const bit of [0n, 1n, 2n]) expect(written(machine, index, 0x1000n | (1n << bit))).toBe(REFUSED)
  })

  test('IA32_FRED_SSP0 is IA32_PL0_SSP: bit 2 may be set, bits 1:0 may not', () => {
    expect(written(machine, 0x6a4, 0x1004n)).toBe(0x1004n)
    expect(written(machine, 0x6a4, 0x1001n)).toBe(REFUSED)
    expect(written(machine, 0x6a4, 0x1002n)).toBe(REFUSED)
  })

  test('IA32_FRED_STKLVLS takes anything', () => {
    expect(written(machine, 0x1d0, 0xdead_beef_dead_beefn)).toBe(0xdead_beef_dead_beefn)
  })

  test('IA32_FRED_CONFIG: bits 2, 5:4 and 11 reserved, the entry page canonical, the current stack level in bits 1:0', () => {
    expect(written(machine, 0x1d4, 0xffff_8000_0000_17cbn)).toBe(0xffff_8000_0000_17cbn)
    for (const bit of [2n, 4n, 5n, 11n]) expect(written(machine, 0x1d4, 1n << bit)).toBe(REFUSED)
    expect(written(machine, 0x1d4, 0x8000_0000_0000n)).toBe(REFUSED)
  })

  test('IA32_XFD and IA32_XFD_ERR: TILEDATA only', () => {
    for (const index of [0x1c4, 0x1c5]) {
      expect(written(machine, index, 1n << 18n)).toBe(1n << 18n)
      expect(written(machine, index, 1n << 17n)).toBe(REFUSED)
    }
  })

  test('57 bits of linear address: canonical is what the CPU can have, not what its paging mode uses', () => {
    expect(written(machineWith('diamond-rapids'), 0x1cc, 0x8000_0000_0000n)).toBe(0x8000_0000_0000n)
  })
})

describe('A19: which CPUs have FRED', () => {
  test.each(['panther-lake', 'diamond-rapids', 'zen6', 'skylake,+fred'])('%s has it, and its MSRs', (cpu) => {
    const machine = machineWith(cpu)
    expect(machine.cpu.has('fred')).toBe(true)
    for (const index of FRED_MSRS) expect(readMsr(machine.cpu, index)).toBe(0n)
  })

  test.each(['skylake', 'sapphire-rapids', 'zen4', 'panther-lake,-fred'])('%s has not: its MSRs are #GP(0)', (cpu) => {
    const machine = machineWith(cpu)
    expect(machine.cpu.has('fred')).toBe(false)
    for (const index of FRED_MSRS) {
      expect(() => readMsr(machine.cpu, index)).toThrow(expect.objectContaining({ vector: 13, errorCode: 0 }))
      expect(written(machine, index, 0n)).toBe(REFUSED)
    }
  })

  test('LKGS may exist alone, and without the plugin no CPU shows either', () => {
    expect(machineWith('skylake,+lkgs').cpu.has('lkgs')).toBe(true)
    expect(machineWith('panther-lake,-fred').cpu.has('lkgs')).toBe(true)
    const bare = createMachine({ cpu: 'panther-lake' })
    expect(bare.cpu.has('fred')).toBe(false)
    expect(bare.cpu.has('lkgs')).toBe(false)
  })
})
