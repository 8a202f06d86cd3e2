import { describe, expect, test } from 'vitest'
import { UnsupportedError } from '../error.js'
import { Fault } from '../event/fault.js'
import { createMachine } from '../machine/machine.js'
import { DEVICES, definePlugin } from '../plugin/plugin.js'
import { RFLAGS } from '../state/registers.js'
import { pageFlags, USER, WRITE } from './access.js'
import { load8, load32, load64, probe, store32, store64 } from './linear.js'

const PAGE = 0x5000n
const LINEAR = 0x9000

/** A device whose registers are words of a region; register 0 says whether it is on. */
function machineWithDevice(flags = 'w') {
  let slot = 0
  const plugin = definePlugin({
    name: 'device',
    setup(host) {
      slot = host.regions.declare({ name: 'device', scope: 'cpu', bytes: 64, version: 1 }).slot
      host.add(DEVICES, 'device', {
        page: PAGE,
        claims: ({ words }) => words[slot] !== 0,
        load: ({ words }, offset) => words[slot + (offset >>> 2)]!,
        store: ({ words }, offset, value) => {
          words[slot + (offset >>> 2)] = value + 1
        },
      })
    },
  })
  const machine = createMachine({ cpu: 'skylake', cpus: 2, plugins: [plugin] })
  machine.space(0n).map(BigInt(LINEAR), pageFlags(flags), 1, PAGE)
  machine.space(0n).map(BigInt(LINEAR + 0x1000), pageFlags('w'))
  for (const cpu of machine.cpus) cpu.words[slot] = 1
  return { machine, cpu: machine.cpu, slot }
}

const faultOf = (action: () => void): unknown => {
  try {
    action()
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return [error.vector, error.errorCode, error.dataLo]
  }
  return null
}

describe('a device in the place of a page', () => {
  test('hears loads and stores of 32 bits, for the CPU that makes them, and no memory changes', () => {
    const { machine, cpu, slot } = machineWithDevice()
    store32(cpu, LINEAR + 8, 0, 41)
    expect(load32(cpu, LINEAR + 8, 0)).toBe(42)
    expect(load32(machine.cpus[1]!, LINEAR + 8, 0)).toBe(0)
    expect(cpu.words[slot + 2]).toBe(42)
    expect(machine.space(0n).read64(BigInt(LINEAR + 8))).toBe(0n)
    expect(cpu.watching).toBe(0)
  })

  test('is not heard of by a CPU that it does not claim: the page is memory', () => {
    const { machine, cpu, slot } = machineWithDevice()
    cpu.words[slot] = 0
    store32(cpu, LINEAR + 8, 0, 41)
    expect([load32(cpu, LINEAR + 8, 0), cpu.words[slot + 2]]).toEqual([41, 0])
    expect(machine.space(0n).read64(BigInt(LINEAR + 8))).toBe(41n)
  })

  test('the attributes of its page are judged first, with the error code of a page that is there', () => {
    const { cpu } = machineWithDevice('')
    expect(faultOf(() => store32(cpu, LINEAR, 0, 1))).toEqual([14, 3, LINEAR])
    expect(faultOf(() => load32(cpu, LINEAR, 0, USER))).toEqual([14, 5, LINEAR])
    expect(faultOf(() => probe(cpu, LINEAR, 0, 4, WRITE))).toEqual([14, 3, LINEAR])
    expect(faultOf(() => load32(cpu, LINEAR + 0x2000, 0))).toEqual([14, 0, LINEAR + 0x2000])
  })

  test.each([
    ['8 bits', (cpu: Parameters<typeof load8>[0]) => load8(cpu, LINEAR, 0)],
    ['64 bits', (cpu: Parameters<typeof load8>[0]) => load64(cpu, LINEAR, 0)],
    ['64 bits, stored', (cpu: Parameters<typeof load8>[0]) => store64(cpu, LINEAR, 0, 1, 2)],
    ['32 bits between two registers', (cpu: Parameters<typeof load8>[0]) => load32(cpu, LINEAR + 2, 0)],
    ['32 bits that reach into the next page', (cpu: Parameters<typeof load8>[0]) => load32(cpu, LINEAR + 0xffe, 0)],
  ])('an access of %s is not modelled, and leaves nothing behind', (_, access) => {
    const { cpu } = machineWithDevice()
    expect(() => access(cpu)).toThrow(UnsupportedError)
    expect(cpu.watching).toBe(0)
    expect(load32(cpu, LINEAR + 4, 0)).toBe(0)
  })

  test('code cannot lie in it', () => {
    const { machine, cpu } = machineWithDevice('x')
    cpu.rip = BigInt(LINEAR)
    cpu.words[RFLAGS] = 2
    expect(() => machine.step()).toThrow('instructions are fetched from the registers of a device')
  })
})
