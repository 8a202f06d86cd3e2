import {
  ACCESS_S,
  ACCESS_UNUSABLE,
  ACCESS_WRITABLE,
  accessOf,
  CPL,
  type Cpu,
  type Decoded,
  type Descriptor,
  dplOf,
  GDTR,
  isCode,
  isConforming,
  isNull,
  isWritableData,
  LDTR,
  limitOf,
  readDescriptor,
  readOperand,
  rplOf,
  SEGMENT_ACCESS,
  SEGMENT_LIMIT,
  type Semantics,
  segmentSlot,
  TABLE_LIMIT,
  TYPE_CALL_GATE,
  TYPE_LDT,
  TYPE_TSS_AVAILABLE,
  TYPE_TSS_BUSY,
  writeRegister,
  ZF,
} from '@trapframe/core'
import { readDestination, writeDestination } from './destination.js'
import { setSomeFlags } from './flags.js'

/** The access rights as LAR gives them: bits 23:8 of the descriptor's second word. */
const LAR_MASK = 0x00ffff00

/** System descriptors that long mode knows. */
const LSL_TYPES: readonly number[] = [TYPE_LDT, TYPE_TSS_AVAILABLE, TYPE_TSS_BUSY]
const LAR_TYPES: readonly number[] = [...LSL_TYPES, TYPE_CALL_GATE]

/** The descriptor of a selector, or null where there is none: null selector, beyond its table. @throws #PF */
function findDescriptor(cpu: Cpu, selector: number): Descriptor | null {
  if (isNull(selector)) return null
  const last = (selector & 0xfff8) + 7
  const { words } = cpu
  if ((selector & 4) === 0) return last > words[GDTR + TABLE_LIMIT]! ? null : readDescriptor(cpu, selector)
  const ldt = segmentSlot(LDTR)
  const usable = (words[ldt + SEGMENT_ACCESS]! & ACCESS_UNUSABLE) === 0
  return usable && last <= words[ldt + SEGMENT_LIMIT]! >>> 0 ? readDescriptor(cpu, selector) : null
}

/** CPL and RPL do not exceed DPL; conforming code is open to all. */
function isReachable(cpu: Cpu, selector: number, access: number): boolean {
  if (isCode(access) && isConforming(access)) return true
  const dpl = dplOf(access)
  return cpu.words[CPL]! <= dpl && rplOf(selector) <= dpl
}

/** LAR and LSL: ZF says whether the selector names a visible descriptor of a type that the instruction knows. */
function query(systemTypes: readonly number[], answer: (descriptor: Descriptor) => number): Semantics {
  return (cpu, insn) => {
    const selector = readOperand(cpu, insn, insn.operands[1]!) & 0xffff
    const descriptor = findDescriptor(cpu, selector)
    const access = descriptor === null ? 0 : accessOf(descriptor)
    const known = (access & ACCESS_S) !== 0 || systemTypes.includes(access & 15)
    if (descriptor === null || !known || !isReachable(cpu, selector, access)) return setSomeFlags(cpu, ZF, 0)
    writeRegister(cpu, insn.operands[0]!, answer(descriptor), 0)
    setSomeFlags(cpu, ZF, ZF)
  }
}

/** VERR and VERW: ZF says whether the segment could be read or written from here. */
function verify(allows: (access: number) => boolean): (cpu: Cpu, insn: Decoded) => void {
  return (cpu, insn) => {
    const selector = readOperand(cpu, insn, insn.operands[0]!) & 0xffff
    const descriptor = findDescriptor(cpu, selector)
    const access = descriptor === null ? 0 : accessOf(descriptor)
    const yes = (access & ACCESS_S) !== 0 && allows(access) && isReachable(cpu, selector, access)
    setSomeFlags(cpu, ZF, yes ? ZF : 0)
  }
}

const isReadable = (access: number): boolean => !isCode(access) || (access & ACCESS_WRITABLE) !== 0

/** ARPL: raises the RPL of the first selector to that of the second, and says in ZF whether it did. Not in 64-bit mode. */
const adjustPrivilege: Semantics = (cpu, insn) => {
  const target = { ...insn.operands[0]!, size: 2 }
  const wanted = readOperand(cpu, insn, insn.operands[1]!) & 3
  const selector = readDestination(cpu, insn, target)
  const raise = rplOf(selector) < wanted
  if (raise) writeDestination(cpu, target, (selector & ~3) | wanted, 0)
  setSomeFlags(cpu, ZF, raise ? ZF : 0)
}

/** Questions about a selector (SDM 3A 5.10). None faults on the selector. */
export const segmentQueries: Readonly<Record<string, Semantics>> = {
  lar: query(LAR_TYPES, ({ hi }) => hi & LAR_MASK),
  lsl: query(LSL_TYPES, limitOf),
  verr: verify(isReadable),
  verw: verify(isWritableData),
  arpl: adjustPrivilege,
}
