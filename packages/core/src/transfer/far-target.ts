import type { Cpu } from '../cpu/cpu.js'
import { gp, np } from '../event/fault.js'
import {
  accessOf,
  type Descriptor,
  dplOf,
  indexOf,
  isCode,
  isConforming,
  isLong,
  isNull,
  isPresent,
  readDescriptor,
  readUpperHalf,
  rplOf,
} from '../segment/descriptor.js'
import { hasBothSizes } from '../segment/return.js'
import { systemTypeOf, TYPE_CALL_GATE, UPPER_TYPE } from '../segment/system.js'
import { ACCESS_S } from '../state/control.js'
import { CPL, GDTR, LDTR, SEGMENT_LIMIT, segmentSlot, TABLE_LIMIT } from '../state/registers.js'
import type { FarPointer } from './far-pointer.js'

/** A destination of a far CALL or JMP whose segment is checked. */
export interface FarTarget {
  /** Selector of the code segment; its RPL is not CPL yet. */
  readonly selector: number
  readonly code: Descriptor
  /** RIP, not checked yet. */
  readonly lo: number
  readonly hi: number
  /** It came from a call gate. */
  readonly gate: boolean
}

/**
 * Where a far CALL or JMP leads, after all its privilege, type and presence checks (SDM 3A 5.8.1–5.8.4; SDM 2A CALL,
 * JMP): a code segment, or through a 64-bit call gate to one. RIP is for the caller to check, after its stack. Nothing is
 * changed.
 *
 * @param operandSize 2 truncates RIP to 16 bits; a gate has its own offset
 * @param inward whether a gate may lead to an inner ring: CALL may, JMP may not
 * @throws #GP(0), #GP(selector), #NP(selector), #PF
 */
export function resolveFarTarget(cpu: Cpu, pointer: FarPointer, operandSize: number, inward: boolean): FarTarget {
  const { selector } = pointer
  if (isNull(selector)) throw gp(0)
  const descriptor = readDescriptor(cpu, selector)
  const access = accessOf(descriptor)
  if ((access & ACCESS_S) === 0) return throughGate(cpu, descriptor, access, inward)
  checkCode(cpu, descriptor, rplOf(selector))
  return {
    selector,
    code: descriptor,
    lo: operandSize === 2 ? pointer.lo & 0xffff : pointer.lo,
    hi: pointer.hi,
    gate: false,
  }
}

/** A code segment that CPL may run at its own privilege, reached with `rpl`. */
function checkCode(cpu: Cpu, code: Descriptor, rpl: number): void {
  const access = accessOf(code)
  const cpl = cpu.words[CPL]!
  const dpl = dplOf(access)
  const reachable = isCode(access) && (isConforming(access) ? dpl <= cpl : dpl === cpl && rpl <= cpl)
  if (!reachable || hasBothSizes(access)) throw gp(indexOf(code.selector))
  checkRing0Mode(cpu, code, cpl)
  if (!isPresent(access)) throw np(indexOf(code.selector))
}

/** Code of ring 0 must be 64-bit code where the mechanism wants it so (A3). @throws #GP(selector) */
function checkRing0Mode(cpu: Cpu, code: Descriptor, cpl: number): void {
  if (cpl !== 0 || isLong(accessOf(code))) return
  if (cpu.mechanism?.transferPolicy.ring0CompatibilityMode === false) throw gp(indexOf(code.selector))
}

/** Through a 64-bit call gate, 16 bytes long, of which the first 8 are read. */
function throughGate(cpu: Cpu, gate: Descriptor, access: number, inward: boolean): FarTarget {
  const cpl = cpu.words[CPL]!
  const dpl = dplOf(access)
  const gateSelector = indexOf(gate.selector)
  if (dpl < cpl || dpl < rplOf(gate.selector) || systemTypeOf(access) !== TYPE_CALL_GATE) throw gp(gateSelector)
  if (cpu.mechanism?.transferPolicy.callGates === false) throw gp(gateSelector)
  if ((gate.selector & 0xfff8) + 15 > tableLimit(cpu, gate.selector)) throw gp(gateSelector)
  const hi = readUpperHalf(cpu, gate)
  if ((cpu.hi & UPPER_TYPE) !== 0) throw gp(gateSelector)
  if (!isPresent(access)) throw np(gateSelector)

  const selector = gate.lo >>> 16
  if (isNull(selector)) throw gp(0)
  const code = readDescriptor(cpu, selector)
  const codeAccess = accessOf(code)
  const codeDpl = dplOf(codeAccess)
  const within = inward || isConforming(codeAccess) ? codeDpl <= cpl : codeDpl === cpl
  if (!isCode(codeAccess) || !within || !isLong(codeAccess) || hasBothSizes(codeAccess)) throw gp(indexOf(selector))
  if (!isPresent(codeAccess)) throw np(indexOf(selector))
  return { selector, code, lo: (gate.lo & 0xffff) | (gate.hi & 0xffff0000), hi, gate: true }
}

/** Limit of the table that a selector points into. */
function tableLimit(cpu: Cpu, selector: number): number {
  if ((selector & 4) === 0) return cpu.words[GDTR + TABLE_LIMIT]!
  return cpu.words[segmentSlot(LDTR) + SEGMENT_LIMIT]! >>> 0
}
