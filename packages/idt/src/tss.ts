import { type Cpu, SEGMENT_LIMIT, segmentSlot, TR, tssIstOffset, tssRspOffset } from '@trapframe/core'

/** Bytes of a 64-bit TSS without an I/O permission bitmap (SDM 3A 8.7). */
export const TSS_BYTES = 104
/** Offset of the I/O map base, 16 bits; a value beyond the limit means that there is no map. */
export const TSS_IO_MAP_BASE = 102

/** What a 64-bit TSS holds: three stacks for inner rings, seven for gates that name them. */
export interface Tss {
  /** RSP0–RSP2; what is left out is 0. */
  readonly rsp?: readonly bigint[]
  /** IST1–IST7, the first element is IST1; what is left out is 0. */
  readonly ist?: readonly bigint[]
}

/** The bytes of a 64-bit TSS without an I/O permission bitmap. */
export function encodeTss({ rsp = [], ist = [] }: Tss): Uint8Array {
  const bytes = new Uint8Array(TSS_BYTES)
  const view = new DataView(bytes.buffer)
  for (const [ring, value] of rsp.entries()) view.setBigUint64(tssRspOffset(ring), value, true)
  for (const [i, value] of ist.entries()) view.setBigUint64(tssIstOffset(i + 1), value, true)
  view.setUint16(TSS_IO_MAP_BASE, TSS_BYTES, true)
  return bytes
}

/** RSP0–RSP2 as the TSS in memory holds it now; null where the limit of TR does not reach. */
export const readRsp = (cpu: Cpu, ring: 0 | 1 | 2): bigint | null => readField(cpu, tssRspOffset(ring))

/** IST1–IST7 as the TSS in memory holds it now; null where the limit of TR does not reach. */
export const readIst = (cpu: Cpu, n: number): bigint | null => readField(cpu, tssIstOffset(n))

function readField(cpu: Cpu, offset: number): bigint | null {
  if (offset + 7 > cpu.words[segmentSlot(TR) + SEGMENT_LIMIT]! >>> 0) return null
  return cpu.space.read64(cpu.segment(TR).base + BigInt(offset))
}
