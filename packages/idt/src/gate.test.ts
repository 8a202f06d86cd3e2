import { type CpuEvent, createMachine, Fault, IDTR, instructionEvent, TABLE_LIMIT } from '@trapframe/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { handlerAddress, IDT_TABLE } from './flat/memory.js'
import { decodeGate, encodeGate, type Gate, loadGate, readGate } from './gate.js'
import { idt } from './plugin.js'

const anyGate: fc.Arbitrary<Gate> = fc.record({
  offset: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
  selector: fc.nat({ max: 0xffff }),
  ist: fc.nat({ max: 7 }),
  type: fc.constantFrom('interrupt' as const, 'trap' as const),
  dpl: fc.nat({ max: 3 }),
  present: fc.boolean(),
})

test('a gate survives encoding and decoding', () => {
  fc.assert(
    fc.property(anyGate, (gate) => {
      expect(decodeGate(encodeGate(gate))).toEqual(gate)
    }),
  )
})

test('a gate lies in memory as SDM 3A figure 6-8 draws it', () => {
  const bytes = encodeGate({ offset: 0x1122_3344_5566_7788n, selector: 0x9abc, ist: 5, type: 'trap', dpl: 3 })
  expect(Buffer.from(bytes).toString('hex')).toBe('8877bc9a05ef66554433221100000000')
})

test('what is no interrupt or trap gate decodes to null', () => {
  expect(decodeGate(new Uint8Array(16))).toBeNull()
})

function flat() {
  const machine = createMachine({ cpu: 'skylake', plugins: [idt()] })
  machine.boot('flat-idt')
  return machine.cpu
}

test('readGate reads back what the IDT holds now, and null beyond its limit', () => {
  const cpu = flat()
  expect(readGate(cpu, 0x80)).toEqual({
    offset: handlerAddress(0x80),
    selector: 8,
    ist: 0,
    type: 'interrupt',
    dpl: 3,
    present: true,
  })
  cpu.words[IDTR + TABLE_LIMIT] = 0x80 * 16 + 14
  expect(readGate(cpu, 0x80)).toBeNull()
})

test('the DPL counts for INT n, INT3 and INTO, not for INT1, interrupts and exceptions', () => {
  const cpu = flat()
  cpu.space.write(IDT_TABLE, encodeGate({ offset: 0n, selector: 8, dpl: 0 }))
  const refused = ([0, 2, 3, 4, 5, 6] as const).filter((type) => {
    const event: CpuEvent = instructionEvent(type, 0, 1)
    try {
      loadGate(cpu, event, Number(IDT_TABLE), 0)
    } catch (thrown) {
      return thrown instanceof Fault && thrown.vector === 13
    }
    return false
  })
  expect(refused).toEqual([4, 6])
})
