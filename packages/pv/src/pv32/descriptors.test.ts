import { describe, expect, it } from 'vitest'
import { auditDescriptor } from '../segment/descriptor-audit.js'

describe('P5: descriptors of 32-bit guests', () => {
  const ring = (descriptor: bigint): bigint => (descriptor >> 45n) & 3n
  it('are for ring 1 at the least, and keep a ring beyond', () => {
    expect(ring(auditDescriptor(0x00cf_9300_0000_ffffn, true)!)).toBe(1n)
    expect(ring(auditDescriptor(0x00cf_d300_0000_ffffn, true)!)).toBe(2n)
    expect(ring(auditDescriptor(0x00cf_9300_0000_ffffn)!)).toBe(3n)
  })
  it('64-bit code is refused, a gate to Xen’s code too; a gate may have up to 31 parameters', () => {
    expect(auditDescriptor(0x00af_fb00_0000_ffffn, true)).toBeNull()
    expect(auditDescriptor(0x0000_ec00_e008_0000n, true)).toBeNull()
    expect(auditDescriptor(0x0000_ec1f_e019_0000n, true)).toBe(0x0000_8c1f_e01b_0000n)
    expect(auditDescriptor(0x0000_ec20_e019_0000n, true)).toBeNull()
    expect(auditDescriptor(0x0000_ec01_e033_0000n)).toBeNull()
  })
  it('a flat segment that ended where Xen once began is extended, one from elsewhere is left', () => {
    expect(auditDescriptor((0x00cf_b300_0000_67ffn & ~(0xfn << 48n)) | (0xfn << 48n), true)! & 0xffffn).toBe(0xffffn)
    expect(auditDescriptor(0x00c1_b300_0000_ffffn, true)).toBe(0x00c1_b300_0000_ffffn)
    expect(auditDescriptor(0x00cf_b300_1000_67ffn, true)! & 0xffffn).toBe(0x67ffn)
  })
})
