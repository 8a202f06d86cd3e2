import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { codeAccess32, codeAccess64, dataAccess } from '../machine/reset.js'
import { ACCESS_G, ACCESS_S } from '../state/control.js'
import { GDT, gdtCpu } from '../testing/gdt-machine.js'
import { accessOf, baseOf, limitOf, readDescriptor } from './descriptor.js'
import { encodeDescriptor, encodeSystemDescriptor } from './encode.js'
import { TYPE_LDT, TYPE_TSS_AVAILABLE } from './system.js'

const FLAT = { base: 0n, limit: 0xffff_ffff }

describe('code and data descriptors (SDM 3A 3.4.5)', () => {
  test.each([
    ['64-bit code of ring 0', codeAccess64(0), 0x00af_9b00_0000_ffffn],
    ['64-bit code of ring 3', codeAccess64(3), 0x00af_fb00_0000_ffffn],
    ['32-bit code of ring 3', codeAccess32(3), 0x00cf_fb00_0000_ffffn],
    ['data of ring 0', dataAccess(0), 0x00cf_9300_0000_ffffn],
    ['data of ring 3', dataAccess(3), 0x00cf_f300_0000_ffffn],
  ])('flat %s', (_, access, descriptor) => {
    expect(encodeDescriptor({ ...FLAT, access })).toBe(descriptor)
  })

  test('without G the limit is in bytes, and the base is split in three', () => {
    const access = dataAccess(3) & ~ACCESS_G
    expect(encodeDescriptor({ base: 0x1234_5678n, limit: 0xf_ffff, access })).toBe(0x124f_f334_5678_ffffn)
  })

  test('the reader of descriptors finds base, limit and access again', () => {
    const cpu = gdtCpu()
    const base = fc.bigInt({ min: 0n, max: 0xffff_ffffn })
    fc.assert(
      fc.property(base, fc.nat(0xf_ffff), fc.boolean(), fc.nat(0xff), fc.nat(7), (base, raw, scaled, low, high) => {
        const access = low | ACCESS_S | (high << 12) | (scaled ? ACCESS_G : 0)
        const limit = scaled ? ((raw << 12) | 0xfff) >>> 0 : raw
        cpu.space.write64(GDT + 8n, encodeDescriptor({ base, limit, access }))
        const descriptor = readDescriptor(cpu, 8)
        expect([BigInt(baseOf(descriptor) >>> 0), limitOf(descriptor) >>> 0, accessOf(descriptor)]).toEqual([
          base,
          limit,
          access,
        ])
      }),
    )
  })
})

describe('system descriptors of 64-bit mode (SDM 3A 8.2.3)', () => {
  test('a TSS in the upper half: bits 63:32 of the base are the second quadword', () => {
    const fields = { base: 0xffff_8300_1234_5678n, limit: 0x67, type: TYPE_TSS_AVAILABLE }
    expect(encodeSystemDescriptor(fields)).toEqual([0x1200_8934_5678_0067n, 0xffff_8300n])
  })

  test('a signed base is taken as its 64 bits', () => {
    expect(encodeSystemDescriptor({ base: -0x1000n, limit: 0xff, type: TYPE_LDT })).toEqual([
      0xff00_82ff_f000_00ffn,
      0xffff_ffffn,
    ])
  })
})
