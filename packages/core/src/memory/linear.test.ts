import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Fault } from '../event/fault.js'
import { createMachine } from '../machine/machine.js'
import { pageFlags, READ, USER, WRITE } from './access.js'
import { load8, load16, load32, load64, store8, store16, store32, store64 } from './linear.js'

const machine = createMachine({ cpu: 'skylake' })
const { cpu } = machine
const space = machine.space(0n)
space.map(0x1000n, pageFlags('w'), 2)
space.map(0x4000n, pageFlags('w'))
space.map(0x5000n, pageFlags(''))
space.map(0xffff_8300_0000_0000n, pageFlags('w'), 1, 0x9000n)

test('a store of any width at any offset, page borders included, is what the loads give back', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0x1000n, max: 0x2ff8n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (at, value) => {
      const address = Number(at)
      const lo = Number(BigInt.asIntN(32, value))
      const hi = Number(BigInt.asIntN(32, value >> 32n))
      store64(cpu, address, 0, lo, hi)
      expect(load64(cpu, address, 0)).toBe(lo)
      expect(cpu.hi).toBe(hi)
      expect(load32(cpu, address, 0)).toBe(lo)
      expect(load16(cpu, address, 0)).toBe(lo & 0xffff)
      expect(load8(cpu, address, 0)).toBe(lo & 0xff)
      store32(cpu, address, 0, hi)
      store16(cpu, address + 4, 0, lo)
      store8(cpu, address + 6, 0, 0x5a)
      expect(space.read64(at)).toBe(
        (value >> 32n) | ((value & 0xffffn) << 32n) | (0x5an << 48n) | ((value >> 56n) << 56n),
      )
    }),
  )
})

const faultOf = (run: () => unknown): Fault => {
  try {
    run()
  } catch (fault) {
    if (fault instanceof Fault) return fault
    throw fault
  }
  throw new Error('no fault')
}

test('#PF names the first byte that faults: the start of the second page where only that one is missing', () => {
  const fault = faultOf(() => load64(cpu, 0x2ffd, 0, READ))
  expect(fault).toMatchObject({ vector: 14, errorCode: 0, dataLo: 0x3000, dataHi: 0 })
})

test('a store across two pages changes neither when the second refuses', () => {
  store64(cpu, 0x4ff8, 0, 0x11111111, 0x11111111)
  const fault = faultOf(() => store64(cpu, 0x4ffc, 0, -1, -1, WRITE))
  expect(fault).toMatchObject({ vector: 14, errorCode: 0b11, dataLo: 0x5000 })
  expect(space.read64(0x4ff8n)).toBe(0x1111_1111_1111_1111n)
})

test('#PF of a user access to a supervisor page has P and U set', () => {
  expect(faultOf(() => load8(cpu, 0x1234, 0, USER))).toMatchObject({ errorCode: 0b101, dataLo: 0x1234 })
})

test('addresses of the upper half are mapped like any others, on frames of their own', () => {
  store64(cpu, 0x10, 0xffff8300 | 0, 0xdeadbeef | 0, 1)
  expect(space.read64(0xffff_8300_0000_0010n)).toBe(0x1_dead_beefn)
  expect(space.pages().at(-1)).toMatchObject({ address: 0xffff_8300_0000_0000n, physical: 0x9000n })
})
