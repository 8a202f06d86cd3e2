import { type Fault, faultClass, writeMsr } from '@trapframe/core'
import { IA32_FRED_RSP1, IA32_FRED_SSP1 } from '@trapframe/fred'
import { describe, expect, it } from 'vitest'
import { xenMachine } from '../../test/xen-machine.js'
import { POISON } from '../setup/tables.js'
import { FIRST_EVENTS } from './events.js'
import { type PoisonRow, poisonTable } from './table.js'

const table = poisonTable()
const at = (...places: string[]): PoisonRow[] => table.filter(({ place }) => places.includes(place))

/** The class of a first event, as SDM 3A table 6-4 has it; interrupts, NMI and what software asks for are benign. */
function classOf(name: string): 'benign' | 'contributory' | 'page-fault' {
  const { event } = FIRST_EVENTS.find((one) => one.name === name)!
  return event.kind === 'hardwareException' ? faultClass(event.vector) : 'benign'
}

describe('X5: an event on a poisoned stack level', () => {
  const rows = at('SL1', 'SL2')

  it('every use is #PF: the push meets a shadow stack, or the guard page that it is without CET', () => {
    expect(rows.length).toBe(3 * 2 * FIRST_EVENTS.length)
    for (const { faults } of rows) expect(faults).toEqual([expect.stringMatching(/^#PF\[0003\] during /)])
  })

  it('a first #PF escalates to #DF on SL3; #VE too, which is of its class', () => {
    for (const row of rows.filter(({ event }) => classOf(event) === 'page-fault')) {
      expect(row).toMatchObject({ delivered: '#DF', stack: '#DF', ending: 'DOUBLE FAULT -- system shutdown' })
    }
  })

  it('any other first event, contributory ones too, becomes a nested #PF on its own level, and Xen’s dispatch ends it', () => {
    const others = rows.filter(({ event }) => classOf(event) !== 'page-fault' && event !== '#DF')
    expect(others.length).toBe(3 * 2 * (FIRST_EVENTS.length - 3))
    for (const row of others) {
      expect(row).toMatchObject({
        delivered: 'nested #PF',
        stack: 'primary',
        ending: 'FATAL TRAP: type 3, HW_EXC, vec 14, #PF[0003]',
      })
    }
  })

  it('the SSP alone is poison too: the regular push succeeds, the one on the shadow stack does not', () => {
    for (const { event, faults, delivered } of at('SSP1', 'SSP2')) {
      expect(faults).toEqual([expect.stringMatching(/^#PF\[0043\] during /)])
      if (event !== '#DF') expect(delivered).toBe(classOf(event) === 'page-fault' ? '#DF' : 'nested #PF')
    }
  })
})

describe('X6: an event on a poisoned stack pointer of the IDT’s', () => {
  it('the first fault is #SS, of IST and RSP alike: the address is not canonical', () => {
    for (const { faults } of at('IST5', 'RSP1'))
      expect(faults).toEqual([expect.stringMatching(/^#SS\[000[01]\] during /)])
  })

  it('an entry of the shadow-stack table alone: #GP, for it is no token’s address', () => {
    for (const { faults } of at('ISST[5]')) expect(faults).toEqual([expect.stringMatching(/^#GP\[000[01]\] during /)])
  })

  it('both are contributory: after a contributory exception or a #PF that is #DF, after anything else it is delivered', () => {
    for (const { event, delivered, faults } of at('IST5', 'RSP1', 'ISST[5]')) {
      if (event === '#DF') continue
      const fault = faults[0]!.slice(0, 3)
      expect(delivered).toBe(classOf(event) === 'benign' ? fault : '#DF')
    }
  })

  it('from Xen’s own code that is fatal; from a guest’s it is taken for the guest’s', () => {
    for (const { place, delivered, ending } of at('IST5', 'RSP1')) {
      if (delivered !== '#SS') continue
      expect(ending).toMatch(place === 'RSP1' ? /^domain crash$/ : /^FATAL TRAP: vec 12, #SS/)
    }
  })
})

describe('X5, X6: whatever the poison', () => {
  it('nothing ever runs on it', () => {
    for (const { ranOn, stack } of table) {
      for (const name of ranOn) expect(['primary', '#DF']).toContain(name)
      expect(['primary', '#DF', null]).toContain(stack)
    }
  })

  it('nothing goes on: a panic, a stopped domain, or a shutdown', () => {
    for (const { ending } of table) expect(ending).toMatch(/^(DOUBLE FAULT|FATAL TRAP|domain crash$|shutdown$)/)
  })

  it('a #DF that is sent there itself is a shutdown', () => {
    for (const row of table.filter(({ event }) => event === '#DF')) {
      expect(row).toMatchObject({ ending: 'shutdown', delivered: null, ranOn: [] })
    }
  })

  it('shadow stacks make no difference to what the RSP’s poison does', () => {
    const without = ({ shadowStacks: _, ...rest }: PoisonRow) => rest
    for (const place of ['SL1', 'SL2', 'IST5', 'RSP1']) {
      const rows = at(place)
      const [on, off] = [true, false].map((shadowStacks) =>
        rows.filter((row) => row.shadowStacks === shadowStacks).map(without),
      )
      expect(on).toEqual(off)
    }
  })
})

describe('A14: why FRED’s poison is not a non-canonical address', () => {
  it.each([IA32_FRED_RSP1, IA32_FRED_SSP1])('WRMSR of the IDT’s poison to MSR %i is #GP(0)', (index) => {
    const { cpu } = xenMachine('panther-lake', { delivery: 'fred' })
    const canonical = 0x8600_1111_1111_1100n
    for (const value of [POISON, canonical]) {
      const caught = (() => {
        try {
          writeMsr(cpu, index, value)
          return null
        } catch (thrown) {
          return thrown as Fault
        }
      })()
      expect(caught).toMatchObject({ vector: 13, errorCode: 0 })
    }
  })
})
