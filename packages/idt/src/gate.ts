import {
  CPL,
  type Cpu,
  type CpuEvent,
  carried,
  gp,
  IDTR,
  IMPLICIT,
  load64,
  np,
  READ,
  SOFTWARE_EXCEPTION,
  SOFTWARE_INTERRUPT,
  TABLE_LIMIT,
  TYPE_INTERRUPT_GATE,
  TYPE_TRAP_GATE,
} from '@trapframe/core'

/** Bytes of a gate in the 64-bit IDT (SDM 3A 6.14.1). */
export const GATE_BYTES = 16

/** A gate of the IDT as people speak of it. */
export interface Gate {
  /** Linear address of the handler. */
  readonly offset: bigint
  /** Code segment of the handler. */
  readonly selector: number
  /** 1–7: the stack comes from that entry of the interrupt stack table; 0: from the privilege change, if there is one. */
  readonly ist: number
  /** An interrupt gate clears IF, a trap gate leaves it. */
  readonly type: 'interrupt' | 'trap'
  /** Lowest privilege from which INT n, INT3 and INTO may use the gate. */
  readonly dpl: number
  readonly present: boolean
}

/** The 16 bytes of a gate. Left out: IST 0, an interrupt gate, DPL 0, present. */
export function encodeGate(gate: Pick<Gate, 'offset' | 'selector'> & Partial<Gate>): Uint8Array {
  const { offset, selector, ist = 0, type = 'interrupt', dpl = 0, present = true } = gate
  const bytes = new Uint8Array(GATE_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, Number(offset & 0xffffn), true)
  view.setUint16(2, selector, true)
  view.setUint8(4, ist & 7)
  view.setUint8(5, (present ? 0x80 : 0) | ((dpl & 3) << 5) | (type === 'trap' ? TYPE_TRAP_GATE : TYPE_INTERRUPT_GATE))
  view.setUint16(6, Number((offset >> 16n) & 0xffffn), true)
  view.setUint32(8, Number((offset >> 32n) & 0xffff_ffffn), true)
  return bytes
}

/** What 16 bytes say as a gate; null when their type is neither an interrupt nor a trap gate's. */
export function decodeGate(bytes: Uint8Array): Gate | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, GATE_BYTES)
  const attributes = view.getUint8(5)
  const type = attributes & 0x1f
  if (type !== TYPE_INTERRUPT_GATE && type !== TYPE_TRAP_GATE) return null
  return {
    offset:
      (BigInt(view.getUint32(8, true)) << 32n) |
      (BigInt(view.getUint16(6, true)) << 16n) |
      BigInt(view.getUint16(0, true)),
    selector: view.getUint16(2, true),
    ist: view.getUint8(4) & 7,
    type: type === TYPE_TRAP_GATE ? 'trap' : 'interrupt',
    dpl: (attributes >>> 5) & 3,
    present: (attributes & 0x80) !== 0,
  }
}

/** The gate of a vector in the IDT that IDTR names; null beyond the limit and where there is no interrupt or trap gate. */
export function readGate(cpu: Cpu, vector: number): Gate | null {
  const offset = vector * GATE_BYTES
  if (offset + GATE_BYTES - 1 > cpu.words[IDTR + TABLE_LIMIT]!) return null
  return decodeGate(cpu.space.read(cpu.get64(IDTR) + BigInt(offset), GATE_BYTES))
}

// The second doubleword of a gate, as delivery reads it.

export const gateIst = (attributes: number): number => attributes & 7
/** A trap gate leaves IF as it is. */
export const isTrapGate = (attributes: number): boolean => (attributes & 0x100) !== 0

/**
 * Address of a vector's gate: low half, high half in `cpu.hi`. @throws #GP(vector × 8 + 2 + EXT) beyond the limit of the IDT
 */
export function gateAddress(cpu: Cpu, vector: number): number {
  const { words } = cpu
  const offset = vector << 4
  if (offset + 15 > words[IDTR + TABLE_LIMIT]!) throw gp(gateErrorCode(cpu, vector))
  const baseLo = words[IDTR]!
  const lo = (baseLo + offset) | 0
  cpu.hi = carried(baseLo, words[IDTR + 1]!, lo, offset)
  return lo
}

/**
 * The first 8 bytes of a gate at `hi:lo`: low half, attributes in `cpu.hi`, after the checks of type, privilege and
 * presence, in this order (SDM 2A INT n).
 *
 * @throws #GP and #NP (vector × 8 + 2 + EXT), #PF
 */
export function loadGate(cpu: Cpu, event: CpuEvent, lo: number, hi: number): number {
  const low = load64(cpu, lo, hi, READ | IMPLICIT)
  const attributes = cpu.hi
  if ((attributes & 0x1e00) !== 0x0e00) throw gp(gateErrorCode(cpu, event.vector))
  const asked = event.type === SOFTWARE_INTERRUPT || event.type === SOFTWARE_EXCEPTION
  if (asked && ((attributes >>> 13) & 3) < cpu.words[CPL]!) throw gp(gateErrorCode(cpu, event.vector))
  if ((attributes & 0x8000) === 0) throw np(gateErrorCode(cpu, event.vector))
  return low
}

/** Error code of a fault about a gate: its number, the IDT bit, EXT. */
const gateErrorCode = (cpu: Cpu, vector: number): number => (vector << 3) | 2 | cpu.ext
