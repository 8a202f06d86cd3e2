import {
  ACCESS_UNUSABLE,
  type Cpu,
  type Decoded,
  gp,
  IMPLICIT,
  load16,
  loadWidth,
  OPERAND_IMMEDIATE,
  type Operand,
  operandAddress,
  RDX,
  READ,
  SEGMENT_ACCESS,
  SEGMENT_BASE,
  SEGMENT_LIMIT,
  type Semantics,
  segmentSlot,
  storeWidth,
  TR,
  WRITE,
} from '@trapframe/core'
import { RAX_NUMBER, writeGpr } from './gpr.js'
import { hasIoPrivilege } from './privilege.js'
import { advanceDestination, advanceSource, memoryOf, repeated } from './string.js'

/** Offset of the I/O map base in the TSS, and the smallest limit of a TSS that has one. */
const IO_MAP_BASE = 102
const SMALLEST_LIMIT = 103

/** No device answers: every port reads as ones. */
const NOTHING_THERE = -1

/** Address `offset` bytes into the TSS: low half, high half in `cpu.hi`. */
function taskAddress(cpu: Cpu, offset: number): number {
  const slot = segmentSlot(TR) + SEGMENT_BASE
  const base = cpu.words[slot]!
  const lo = (base + offset) | 0
  cpu.hi = lo >>> 0 < base >>> 0 ? (cpu.words[slot + 1]! + 1) | 0 : cpu.words[slot + 1]!
  return lo
}

/**
 * What IN, OUT, INS and OUTS ask above IOPL: every port of the access has a clear bit in the TSS's I/O permission map
 * (SDM 1 19.5.2). Two bytes of the map are read, both within the limit.
 *
 * @throws #GP(0), #PF
 */
function checkPort(cpu: Cpu, port: number, bytes: number): void {
  if (hasIoPrivilege(cpu)) return
  const { words } = cpu
  const slot = segmentSlot(TR)
  const limit = words[slot + SEGMENT_LIMIT]! >>> 0
  if ((words[slot + SEGMENT_ACCESS]! & ACCESS_UNUSABLE) !== 0 || limit < SMALLEST_LIMIT) throw gp(0)
  const baseAt = taskAddress(cpu, IO_MAP_BASE)
  const offset = load16(cpu, baseAt, cpu.hi, READ | IMPLICIT) + (port >>> 3)
  if (offset + 1 > limit) throw gp(0)
  const at = taskAddress(cpu, offset)
  const map = load16(cpu, at, cpu.hi, READ | IMPLICIT)
  if (((map >>> (port & 7)) & ((1 << bytes) - 1)) !== 0) throw gp(0)
}

/** The port number, in DX or an immediate byte. */
function portOf(cpu: Cpu, op: Operand): number {
  return op.kind === OPERAND_IMMEDIATE ? op.lo & 0xff : cpu.words[RDX]! & 0xffff
}

const input: Semantics = (cpu, insn) => {
  const target = insn.operands[0]!
  checkPort(cpu, portOf(cpu, insn.operands[1]!), target.size)
  writeGpr(cpu, RAX_NUMBER, target.size, NOTHING_THERE, 0)
}

const output: Semantics = (cpu, insn) => {
  checkPort(cpu, portOf(cpu, insn.operands[0]!), insn.operands[1]!.size)
}

function inputString(cpu: Cpu, insn: Decoded): void {
  const bytes = insn.operandSize
  checkPort(cpu, cpu.words[RDX]! & 0xffff, bytes)
  const at = operandAddress(cpu, insn, memoryOf(insn), bytes, true)
  storeWidth(cpu, at, cpu.hi, bytes, NOTHING_THERE, 0, WRITE | cpu.user)
  advanceDestination(cpu, insn)
}

function outputString(cpu: Cpu, insn: Decoded): void {
  const bytes = insn.operandSize
  checkPort(cpu, cpu.words[RDX]! & 0xffff, bytes)
  const at = operandAddress(cpu, insn, memoryOf(insn), bytes, false)
  loadWidth(cpu, at, cpu.hi, bytes, READ | cpu.user)
  advanceSource(cpu, insn)
}

/** Port I/O (SDM 1 19). A REP count of 0 does nothing, not even the check. */
export const ports: Readonly<Record<string, Semantics>> = {
  in: input,
  out: output,
  ins: repeated(inputString),
  outs: repeated(outputString),
}
