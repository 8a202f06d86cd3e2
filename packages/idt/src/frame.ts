import { type Cpu, pushesErrorCode } from '@trapframe/core'

/** What IDT delivery pushes in long mode (SDM 3A 6.14.2): five quadwords, below them the error code of some exceptions. */
export interface Frame {
  readonly rip: bigint
  /** The selector: the rest of the quadword is 0. */
  readonly cs: number
  readonly rflags: bigint
  readonly rsp: bigint
  readonly ss: number
  /** Null for events without one. */
  readonly errorCode: number | null
}

/** Bytes of a frame without error code. */
export const FRAME_BYTES = 40

/** A frame from its bytes, lowest address first: 40 of them, or 48 with an error code. */
export function decodeFrame(bytes: Uint8Array): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const rip = bytes.byteLength - FRAME_BYTES
  return {
    rip: view.getBigUint64(rip, true),
    cs: view.getUint16(rip + 8, true),
    rflags: view.getBigUint64(rip + 16, true),
    rsp: view.getBigUint64(rip + 24, true),
    ss: view.getUint16(rip + 32, true),
    errorCode: rip === 0 ? null : view.getUint32(0, true),
  }
}

/**
 * The frame at RSP, as the handler finds it at its first instruction. The frame does not tell whether it has an error code:
 * `vector` does, for exceptions; give null for INT n, interrupts and NMI.
 */
export function readFrame(cpu: Cpu, vector: number | null): Frame {
  const hasErrorCode = vector !== null && pushesErrorCode(vector)
  return decodeFrame(cpu.space.read(cpu.rsp, hasErrorCode ? FRAME_BYTES + 8 : FRAME_BYTES))
}
