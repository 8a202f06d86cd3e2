import {
  CPL,
  type Cpu,
  CR4,
  CR4_UMIP,
  carried,
  type Decoded,
  effectiveAddress,
  GDTR,
  gp,
  IDTR,
  isCanonicalForMsr,
  LDTR,
  linearAddress,
  load16,
  load32,
  load64,
  loadLdt,
  loadTask,
  probe,
  READ,
  readOperand,
  SEGMENT_SELECTOR,
  type Semantics,
  segmentSlot,
  store16,
  storeWidth,
  TABLE_LIMIT,
  TR,
  WRITE,
  writeOperand,
} from '@trapframe/core'
import { requireCpl0 } from './privilege.js'
import { quad } from './quad.js'

/** Where the base lies behind the limit. */
const BASE_OFFSET = 2
/** Bits of the base that a 16-bit operand loads. */
const BASE_24 = 0xffffff

/** SGDT, SIDT, SLDT, STR and SMSW: @throws #GP(0) above CPL 0 with CR4.UMIP */
export function requireUserModeAccess(cpu: Cpu): void {
  if (cpu.words[CPL] !== 0 && (cpu.words[CR4]! & CR4_UMIP) !== 0) throw gp(0)
}

/** Linear address of the pseudo-descriptor: 2 bytes of limit, 8 or 4 of base. */
function pseudoDescriptor(cpu: Cpu, insn: Decoded, write: boolean): number {
  const op = insn.operands[0]!
  const bytes = BASE_OFFSET + (cpu.codeSize === 64 ? 8 : 4)
  const lo = effectiveAddress(cpu, insn, op)
  return linearAddress(cpu, op.segment, lo, cpu.hi, bytes, write, 1)
}

/** LGDT and LIDT. @throws #GP(0) unless CPL is 0 and, in 64-bit mode, the base is canonical */
function loadTable(table: number): Semantics {
  return (cpu, insn) => {
    requireCpl0(cpu)
    const at = pseudoDescriptor(cpu, insn, false)
    const atHi = cpu.hi
    const limit = load16(cpu, at, atHi, READ | cpu.user)
    const baseAt = (at + BASE_OFFSET) | 0
    const baseHi = carried(at, atHi, baseAt, BASE_OFFSET)
    let lo: number
    let hi = 0
    if (cpu.codeSize === 64) {
      lo = load64(cpu, baseAt, baseHi, READ | cpu.user)
      hi = cpu.hi
      if (!isCanonicalForMsr(quad(lo, hi), cpu)) throw gp(0)
    } else {
      lo = load32(cpu, baseAt, baseHi, READ | cpu.user)
      if (insn.operandSize === 2) lo &= BASE_24
    }
    cpu.words[table] = lo
    cpu.words[table + 1] = hi
    cpu.words[table + TABLE_LIMIT] = limit
  }
}

/** SGDT and SIDT: the whole base in 64-bit mode, 32 bits of it elsewhere. */
function storeTable(table: number): Semantics {
  return (cpu, insn) => {
    requireUserModeAccess(cpu)
    const at = pseudoDescriptor(cpu, insn, true)
    const atHi = cpu.hi
    const { words } = cpu
    const width = cpu.codeSize === 64 ? 8 : 4
    probe(cpu, at, atHi, BASE_OFFSET + width, WRITE | cpu.user)
    store16(cpu, at, atHi, words[table + TABLE_LIMIT]!, WRITE | cpu.user)
    const baseAt = (at + BASE_OFFSET) | 0
    const baseHi = carried(at, atHi, baseAt, BASE_OFFSET)
    storeWidth(cpu, baseAt, baseHi, width, words[table]!, words[table + 1]!, WRITE | cpu.user)
  }
}

/** SLDT and STR: the selector, zero-extended into a register, 16 bits into memory. */
function storeSelector(segment: number): Semantics {
  return (cpu, insn) => {
    requireUserModeAccess(cpu)
    writeOperand(cpu, insn, insn.operands[0]!, cpu.words[segmentSlot(segment) + SEGMENT_SELECTOR]! & 0xffff, 0)
  }
}

/** Descriptor-table registers (SDM 3A 2.8.1). */
export const descriptorTables: Readonly<Record<string, Semantics>> = {
  lgdt: loadTable(GDTR),
  lidt: loadTable(IDTR),
  sgdt: storeTable(GDTR),
  sidt: storeTable(IDTR),
  sldt: storeSelector(LDTR),
  str: storeSelector(TR),
  lldt: (cpu, insn) => {
    requireCpl0(cpu)
    loadLdt(cpu, readOperand(cpu, insn, insn.operands[0]!) & 0xffff)
  },
  ltr: (cpu, insn) => {
    requireCpl0(cpu)
    loadTask(cpu, readOperand(cpu, insn, insn.operands[0]!) & 0xffff)
  },
}
