import { createMachine, raise } from '@trapframe/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fred } from '../plugin.js'
import { decodeFrame, encodeFrame, type FredFrame, readFrame } from './frame.js'

const quad = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn })
const anyFrame: fc.Arbitrary<FredFrame> = fc.record({
  errorCode: fc.nat({ max: 0xffff_ffff }),
  rip: quad,
  cs: fc.nat({ max: 0xffff }),
  stackLevel: fc.nat({ max: 3 }),
  waitForEndbranch: fc.boolean(),
  rflags: quad,
  rsp: quad,
  ss: fc.nat({ max: 0xffff }),
  stiBlocking: fc.boolean(),
  softwareEvent: fc.boolean(),
  nmi: fc.boolean(),
  vector: fc.nat({ max: 255 }),
  type: fc.nat({ max: 15 }),
  enclave: fc.boolean(),
  mode64: fc.boolean(),
  nested: fc.boolean(),
  length: fc.nat({ max: 15 }),
  eventData: quad,
})

describe('the 64-byte frame as a typed view', () => {
  test('decodeFrame undoes encodeFrame, for every frame', () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        expect(decodeFrame(encodeFrame(frame))).toEqual(frame)
      }),
    )
  })

  test('encodeFrame undoes decodeFrame, for any 64 bytes: reserved bits are kept', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (bytes) => {
        expect(encodeFrame(decodeFrame(bytes))).toEqual(bytes)
      }),
    )
  })

  test('a frame written out by hand: #PF in ring 3 (fred.md, Delivery, step 5)', () => {
    const bytes = Uint8Array.from(
      [
        '0600000000000000', // error code: a write in user mode
        '0010400000000000', // RIP
        '3300000000000000', // CS
        '0202010000000000', // RFLAGS: RF for a fault
        'f0ff5f0000000000', // RSP
        '2b0000000e000302', // SS; vector 14, type 3, 64-bit mode
        '00b0adde00000000', // CR2
        '0000000000000000',
      ]
        .join('')
        .match(/../g)!
        .map((byte) => Number.parseInt(byte, 16)),
    )
    expect(decodeFrame(bytes)).toEqual({
      errorCode: 6,
      rip: 0x40_1000n,
      cs: 0x33,
      stackLevel: 0,
      waitForEndbranch: false,
      rflags: 0x1_0202n,
      rsp: 0x5f_fff0n,
      ss: 0x2b,
      stiBlocking: false,
      softwareEvent: false,
      nmi: false,
      vector: 14,
      type: 3,
      enclave: false,
      mode64: true,
      nested: false,
      length: 0,
      eventData: 0xdead_b000n,
    })
  })

  test('each bit above CS and SS is its own field', () => {
    const blank = decodeFrame(new Uint8Array(64))
    const bits: [keyof FredFrame, number, number][] = [
      ['waitForEndbranch', 18, 0x04],
      ['enclave', 47, 0x01],
      ['mode64', 47, 0x02],
      ['nested', 47, 0x04],
      ['stiBlocking', 42, 0x01],
      ['softwareEvent', 42, 0x02],
      ['nmi', 42, 0x04],
    ]
    for (const [field, offset, value] of bits) {
      const bytes = new Uint8Array(64)
      bytes[offset] = value
      expect(decodeFrame(bytes)).toEqual({ ...blank, [field]: true })
    }
  })

  test('another number of bytes is no frame', () => {
    expect(() => decodeFrame(new Uint8Array(63))).toThrow('a FRED frame has 64 bytes, not 63')
  })

  test('readFrame finds what delivery pushed', () => {
    const machine = createMachine({ cpu: 'panther-lake', plugins: [fred()] })
    machine.boot('flat-fred')
    const { cpu } = machine
    const rip = cpu.rip
    const rsp = cpu.rsp
    raise(cpu, { kind: 'softwareInterrupt', vector: 0x80 })
    expect(readFrame(cpu)).toMatchObject({ rip: rip + 2n, rsp, vector: 0x80, type: 4, length: 2, softwareEvent: true })
  })
})
