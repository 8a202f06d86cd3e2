import {
  adjustStackPointer,
  CET_NO_TRACK_EN,
  CP_NEAR_RET,
  type Cpu,
  CS,
  cetSlot,
  cp,
  type Decoded,
  expectEndbranch,
  gp,
  isCanonical,
  loadShadow32,
  loadShadow64,
  OPERAND_BRANCH,
  peek,
  RCX,
  RFLAGS,
  RIP,
  readOperand,
  SEGMENT_LIMIT,
  type Semantics,
  SSP,
  segmentSlot,
  stackAddress,
  storeShadow32,
  storeShadow64,
  storeWidth,
  WRITE,
  ZF,
} from '@trapframe/core'
import { CONDITIONS, conditionBits } from './condition.js'
import { RCX_NUMBER, readGpr, writeGpr } from './gpr.js'

/**
 * A near branch target cut to `bytes` bytes, after its check: canonical in 64-bit mode, inside the CS limit elsewhere.
 * Low half, high half in `cpu.hi`. @throws #GP(0)
 */
function checkedTarget(cpu: Cpu, lo: number, hi: number, bytes: number): number {
  if (bytes === 8) {
    if (!isCanonical(cpu, hi)) throw gp(0)
    cpu.hi = hi
    return lo
  }
  const target = bytes === 2 ? lo & 0xffff : lo
  if (cpu.codeSize !== 64 && target >>> 0 > cpu.words[segmentSlot(CS) + SEGMENT_LIMIT]! >>> 0) throw gp(0)
  cpu.hi = 0
  return target
}

/** The target of a branch with a displacement, checked: low half, high half in `cpu.hi`. */
function relativeTarget(cpu: Cpu, insn: Decoded): number {
  const { lo, hi } = insn.operands[0]!
  const { words } = cpu
  const target = (words[RIP]! + lo) | 0
  const targetHi = (words[RIP + 1]! + hi + (target >>> 0 < lo >>> 0 ? 1 : 0)) | 0
  return checkedTarget(cpu, target, targetHi, insn.operandSize)
}

function branch(cpu: Cpu, insn: Decoded): void {
  const lo = relativeTarget(cpu, insn)
  cpu.words[RIP] = lo
  cpu.words[RIP + 1] = cpu.hi
}

/** Jcc. */
function conditionalJump(mask: number, negated: boolean): Semantics {
  return (cpu, insn) => {
    if (((conditionBits(cpu.words[RFLAGS]!) & mask) !== 0) !== negated) branch(cpu, insn)
  }
}

/** An indirect branch must lead to an ENDBRANCH, unless NOTRACK is given and allowed (SDM 1 17.3). */
function trackIndirectBranch(cpu: Cpu, insn: Decoded): void {
  if (!cpu.endbranchTracking) return
  if (insn.notrack && (cpu.words[cetSlot(cpu)]! & CET_NO_TRACK_EN) !== 0) return
  expectEndbranch(cpu)
}

const jump: Semantics = (cpu, insn) => {
  const op = insn.operands[0]!
  if (op.kind === OPERAND_BRANCH) return branch(cpu, insn)
  const target = readOperand(cpu, insn, op)
  const lo = checkedTarget(cpu, target, cpu.hi, insn.operandSize)
  cpu.words[RIP] = lo
  cpu.words[RIP + 1] = cpu.hi
  trackIndirectBranch(cpu, insn)
}

const call: Semantics = (cpu, insn) => {
  const op = insn.operands[0]!
  const bytes = insn.operandSize
  if (op.kind === OPERAND_BRANCH) {
    const lo = relativeTarget(cpu, insn)
    const hi = cpu.hi
    // CALL to the next instruction reads RIP, nothing returns: no shadow-stack entry (SDM 2A CALL)
    pushReturn(cpu, bytes, (op.lo | op.hi) !== 0)
    cpu.words[RIP] = lo
    cpu.words[RIP + 1] = hi
    return
  }
  const target = readOperand(cpu, insn, op)
  const lo = checkedTarget(cpu, target, cpu.hi, bytes)
  const hi = cpu.hi
  pushReturn(cpu, bytes, true)
  cpu.words[RIP] = lo
  cpu.words[RIP + 1] = hi
  trackIndirectBranch(cpu, insn)
}

/** Pushes the return address to the stack and the shadow stack; both pointers move once both stores succeeded. */
function pushReturn(cpu: Cpu, bytes: number, shadow: boolean): void {
  const { words } = cpu
  const at = stackAddress(cpu, -bytes, bytes, true)
  storeWidth(cpu, at, cpu.hi, bytes, words[RIP]!, words[RIP + 1]!, WRITE | cpu.user)
  if (shadow && cpu.shadowStack) pushShadowReturn(cpu, bytes)
  adjustStackPointer(cpu, -bytes)
}

function pushShadowReturn(cpu: Cpu, bytes: number): void {
  const { words } = cpu
  const width = cpu.codeSize === 64 ? 8 : 4
  const before = words[SSP]!
  const lo = (before - width) | 0
  const hi = lo >>> 0 > before >>> 0 ? (words[SSP + 1]! - 1) | 0 : words[SSP + 1]!
  if (width === 8) storeShadow64(cpu, lo, hi, words[RIP]!, words[RIP + 1]!, cpu.user)
  else storeShadow32(cpu, lo, hi, bytes === 2 ? words[RIP]! & 0xffff : words[RIP]!, cpu.user)
  words[SSP] = lo
  words[SSP + 1] = hi
}

/** RET and RET imm16, near. @throws #CP(1) when the shadow stack holds another address */
const ret: Semantics = (cpu, insn) => {
  const { words } = cpu
  const bytes = insn.operandSize
  const poppedLo = peek(cpu, 0, bytes)
  const poppedHi = cpu.hi
  const shadow = cpu.shadowStack
  if (shadow) checkShadowReturn(cpu, poppedLo, poppedHi)
  const lo = checkedTarget(cpu, poppedLo, poppedHi, bytes)
  words[RIP] = lo
  words[RIP + 1] = cpu.hi
  const released = insn.operands[0]
  adjustStackPointer(cpu, released === undefined ? bytes : bytes + (released.lo & 0xffff))
  if (shadow) popShadowReturn(cpu)
}

function checkShadowReturn(cpu: Cpu, lo: number, hi: number): void {
  const { words } = cpu
  let shadowLo: number
  let shadowHi = 0
  if (cpu.codeSize === 64) {
    shadowLo = loadShadow64(cpu, words[SSP]!, words[SSP + 1]!, cpu.user)
    shadowHi = cpu.hi
  } else {
    shadowLo = loadShadow32(cpu, words[SSP]!, words[SSP + 1]!, cpu.user)
  }
  if (shadowLo !== lo || shadowHi !== hi) throw cp(CP_NEAR_RET)
}

function popShadowReturn(cpu: Cpu): void {
  const { words } = cpu
  const before = words[SSP]!
  const lo = (before + (cpu.codeSize === 64 ? 8 : 4)) | 0
  words[SSP] = lo
  if (lo >>> 0 < before >>> 0) words[SSP + 1] = words[SSP + 1]! + 1
}

/** LOOP, LOOPE, LOOPNE: the count register has the address size; `zf` is the ZF that goes on, if it matters. */
function loop(zf: boolean | undefined): Semantics {
  return (cpu, insn) => {
    const bytes = insn.addressSize
    const before = readGpr(cpu, RCX_NUMBER, bytes)
    const count = bytes === 2 ? (before - 1) & 0xffff : (before - 1) | 0
    const countHi = bytes === 8 ? (before === 0 ? (cpu.hi - 1) | 0 : cpu.hi) : 0
    const wanted = zf === undefined || ((cpu.words[RFLAGS]! & ZF) !== 0) === zf
    if ((count | countHi) !== 0 && wanted) branch(cpu, insn)
    writeGpr(cpu, RCX_NUMBER, bytes, count, countHi)
  }
}

/** JCXZ, JECXZ, JRCXZ. */
const jumpIfCountZero: Semantics = (cpu, insn) => {
  const { words } = cpu
  const lo = insn.addressSize === 2 ? words[RCX]! & 0xffff : words[RCX]!
  if ((insn.addressSize === 8 ? lo | words[RCX + 1]! : lo) === 0) branch(cpu, insn)
}

const conditional = Object.fromEntries(
  Object.entries(CONDITIONS).map(([suffix, { mask, negated }]) => [`j${suffix}`, conditionalJump(mask, negated)]),
)

/** Near transfers of control (SDM 1 7.3.10; with CET SDM 1 17). A faulting one changes no register. */
export const branches: Readonly<Record<string, Semantics>> = {
  jmp: jump,
  call,
  ret,
  loop: loop(undefined),
  loope: loop(true),
  loopne: loop(false),
  jcxz: jumpIfCountZero,
  jecxz: jumpIfCountZero,
  jrcxz: jumpIfCountZero,
  ...conditional,
}
