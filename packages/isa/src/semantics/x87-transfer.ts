import {
  type Cpu,
  carried,
  type Decoded,
  load16,
  load64,
  OPERAND_X87,
  type Operand,
  operandAddress,
  probe,
  READ,
  readOperand,
  type Semantics,
  store16,
  store64,
  storeWidth,
  WRITE,
} from '@trapframe/core'
import { converted } from '../float/arithmetic.js'
import {
  DOUBLE,
  EXTENDED,
  type Float,
  type FloatFormat,
  finite,
  fromIeee,
  INDEFINITE,
  SINGLE,
  toExtended,
  toIeee,
  zero,
} from '../float/number.js'
import { INVALID, OVERFLOW, PRECISION, ROUND_TO_ZERO, roundToInteger, UNDERFLOW } from '../float/round.js'
import {
  FSW_C1,
  isEmpty,
  noteX87,
  pop,
  readStack,
  readStackBits,
  rotateStack,
  setStatusWord,
  stackFault,
  statusWord,
  unmaskedX87,
  writeStack,
  writeStackBits,
  x87Rounding,
} from './fpu-state.js'
import { quad } from './quad.js'
import { waiting } from './x87.js'

const EXTENDED_BYTES = 10
/** What FCW.RC and the format leave of a store that goes to memory: unmasked, these keep memory and stack as they are. */
const MEMORY_BLOCKING = INVALID | OVERFLOW | UNDERFLOW

/** The format of a floating-point operand of 4 or 8 bytes. */
const formatOf = (op: Operand): FloatFormat => (op.size === 4 ? SINGLE : DOUBLE)

/** A floating-point operand in memory: #D and #IA of signaling NaNs are the caller's. @throws #PF and the like */
export function loadFloat(cpu: Cpu, insn: Decoded, op: Operand): Float {
  const lo = readOperand(cpu, insn, op)
  return fromIeee(op.size === 4 ? BigInt(lo >>> 0) : quad(lo, cpu.hi), formatOf(op))
}

/** A signed integer in memory of 2, 4 or 8 bytes. */
export function loadInteger(cpu: Cpu, insn: Decoded, op: Operand): Float {
  const lo = readOperand(cpu, insn, op)
  const value = BigInt.asIntN(op.size * 8, op.size === 8 ? quad(lo, cpu.hi) : BigInt(lo))
  return finite(value < 0n, value < 0n ? -value : value, 0)
}

/** Pushes a value; onto a register that is not empty that is a stack overflow, whose masked answer is the indefinite. */
function push(cpu: Cpu, significand: bigint, signExponent: number): void {
  if (!isEmpty(cpu, 7)) {
    if (stackFault(cpu, true)) return
    rotateStack(cpu, -1)
    return writeStack(cpu, 0, INDEFINITE)
  }
  rotateStack(cpu, -1)
  writeStackBits(cpu, 0, significand, signExponent)
}

function pushValue(cpu: Cpu, value: Float): void {
  clearC1(cpu)
  push(cpu, ...toExtended(value))
}

const clearC1 = (cpu: Cpu): void => setStatusWord(cpu, statusWord(cpu) & ~FSW_C1)

const load: Semantics = (cpu, insn) => {
  const op = insn.operands[0]!
  if (op.kind === OPERAND_X87) return loadRegister(cpu, op.register)
  if (op.size === EXTENDED_BYTES) {
    const at = operandAddress(cpu, insn, op, EXTENDED_BYTES, false, 8)
    const atHi = cpu.hi
    const significand = quad(load64(cpu, at, atHi, READ | cpu.user), cpu.hi)
    const upper = (at + 8) | 0
    const signExponent = load16(cpu, upper, carried(at, atHi, upper, 8), READ | cpu.user)
    clearC1(cpu)
    return push(cpu, significand, signExponent)
  }
  const value = loadFloat(cpu, insn, op)
  if (!isEmpty(cpu, 7)) return pushValue(cpu, value)
  // a denormal is loaded whether #D is masked or not
  const how = { format: EXTENDED, mode: 0, unmasked: 0 }
  const { value: loaded, flags } = converted(value, how, true)
  if (noteX87(cpu, flags, false, INVALID)) return
  push(cpu, ...toExtended(loaded))
}

/** FLD ST(i): the register as it is, without a look at what it holds. */
function loadRegister(cpu: Cpu, i: number): void {
  clearC1(cpu)
  if (!isEmpty(cpu, i)) return push(cpu, ...readStackBits(cpu, i))
  if (stackFault(cpu, false)) return
  rotateStack(cpu, -1)
  writeStack(cpu, 0, INDEFINITE)
}

/** FST and FSTP: registers and m80 take the value as it is, smaller formats round it. */
function store(popping: boolean): Semantics {
  return (cpu, insn) => {
    const op = insn.operands[0]!
    const empty = isEmpty(cpu, 0)
    if (op.kind === OPERAND_X87) {
      clearC1(cpu)
      if (empty && stackFault(cpu, false)) return
      if (empty) writeStack(cpu, op.register, INDEFINITE)
      else writeStackBits(cpu, op.register, ...readStackBits(cpu, 0))
    } else if (op.size === EXTENDED_BYTES) {
      if (!storeExtended(cpu, insn, op, empty)) return
    } else if (!storeRounded(cpu, insn, op, empty)) {
      return
    }
    if (popping) pop(cpu)
  }
}

/** True when the store was done. The address is checked before FSW changes: a fault leaves it alone. */
function storeExtended(cpu: Cpu, insn: Decoded, op: Operand, empty: boolean): boolean {
  const access = WRITE | cpu.user
  const at = operandAddress(cpu, insn, op, EXTENDED_BYTES, true, 8)
  const atHi = cpu.hi
  probe(cpu, at, atHi, EXTENDED_BYTES, access)
  clearC1(cpu)
  if (empty && stackFault(cpu, false)) return false
  const [significand, signExponent] = empty ? toExtended(INDEFINITE) : readStackBits(cpu, 0)
  const upper = (at + 8) | 0
  store64(cpu, at, atHi, low(significand), high(significand), access)
  store16(cpu, upper, carried(at, atHi, upper, 8), signExponent, access)
  return true
}

function storeRounded(cpu: Cpu, insn: Decoded, op: Operand, empty: boolean): boolean {
  const format = formatOf(op)
  const how = { format, mode: x87Rounding(cpu), unmasked: unmaskedX87(cpu) }
  return storeChecked(cpu, insn, op, empty, toIeee(INDEFINITE, format), () => {
    const { value, flags, up } = converted(readStack(cpu, 0), how, false)
    const blocked = flags & how.unmasked & MEMORY_BLOCKING
    // what is not stored has not been rounded either
    return blocked === 0 ? [toIeee(value, format), flags, up] : [0n, flags & ~PRECISION, false]
  })
}

/** Stores what `result` says unless an unmasked exception forbids it; `indefinite` for an empty register. */
function storeChecked(
  cpu: Cpu,
  insn: Decoded,
  op: Operand,
  empty: boolean,
  indefinite: bigint,
  result: () => readonly [bits: bigint, flags: number, up: boolean],
): boolean {
  const at = operandAddress(cpu, insn, op, op.size, true)
  const atHi = cpu.hi
  probe(cpu, at, atHi, op.size, WRITE | cpu.user)
  let bits = indefinite
  if (empty) {
    if (stackFault(cpu, false)) return false
  } else {
    const [value, flags, up] = result()
    if (noteX87(cpu, flags, up, MEMORY_BLOCKING)) return false
    bits = value
  }
  storeWidth(cpu, at, atHi, op.size, low(bits), high(bits), WRITE | cpu.user)
  return true
}

const low = (bits: bigint): number => Number(BigInt.asIntN(32, bits))
const high = (bits: bigint): number => Number(BigInt.asIntN(32, bits >> 32n))

/** FIST, FISTP and FISTTP: what does not fit is #IA, whose masked answer is the smallest integer. */
function storeInteger(popping: boolean, truncating: boolean): Semantics {
  return (cpu, insn) => {
    const op = insn.operands[0]!
    const bits = op.size * 8
    const smallest = -(1n << BigInt(bits - 1))
    const mode = truncating ? ROUND_TO_ZERO : x87Rounding(cpu)
    const done = storeChecked(cpu, insn, op, isEmpty(cpu, 0), smallest, () => {
      const value = readStack(cpu, 0)
      if (value.kind !== 'finite' && value.kind !== 'zero') return [smallest, INVALID, false]
      const { integer, inexact, up } = roundToInteger(value, mode)
      if (BigInt.asIntN(bits, integer) !== integer) return [smallest, INVALID, false]
      return [integer, inexact ? PRECISION : 0, up]
    })
    if (done && popping) pop(cpu)
  }
}

const exchange: Semantics = (cpu, insn) => {
  const i = insn.operands[1]!.register
  clearC1(cpu)
  if ((isEmpty(cpu, 0) || isEmpty(cpu, i)) && stackFault(cpu, false)) return
  const [mine, other] = [0, i].map((n) => (isEmpty(cpu, n) ? toExtended(INDEFINITE) : readStackBits(cpu, n)))
  writeStackBits(cpu, 0, ...other!)
  writeStackBits(cpu, i, ...mine!)
}

/** FCHS and FABS: the sign, whatever the rest is. */
function changeSign(change: (negative: boolean) => boolean): Semantics {
  return (cpu) => {
    clearC1(cpu)
    if (isEmpty(cpu, 0)) {
      if (!stackFault(cpu, false)) writeStack(cpu, 0, INDEFINITE)
      return
    }
    const [significand, signExponent] = readStackBits(cpu, 0)
    const negative = change((signExponent & 0x8000) !== 0)
    writeStackBits(cpu, 0, significand, (signExponent & 0x7fff) | (negative ? 0x8000 : 0))
  }
}

/**
 * The constants of FLDPI and its kin, wider than a register: the register gets them rounded by FCW.RC, without #P
 * (SDM 2A FLDPI). `significand × 2^exponent`.
 */
function pushConstant(significand: bigint, exponent: number): Semantics {
  return (cpu) => {
    const { value } = converted(
      finite(false, significand, exponent),
      { format: EXTENDED, mode: x87Rounding(cpu), unmasked: 0 },
      false,
    )
    pushValue(cpu, value)
  }
}

/** x87 data transfer and constants (SDM 1 8.3.2–8.3.4). Loads of m80 and moves between registers copy any bits. */
export const x87Transfers: Readonly<Record<string, Semantics>> = Object.fromEntries(
  Object.entries<Semantics>({
    fld: load,
    fild: (cpu, insn) => pushValue(cpu, loadInteger(cpu, insn, insn.operands[0]!)),
    fst: store(false),
    fstp: store(true),
    fist: storeInteger(false, false),
    fistp: storeInteger(true, false),
    fisttp: storeInteger(true, true),
    fxch: exchange,
    fchs: changeSign((negative) => !negative),
    fabs: changeSign(() => false),
    fldz: (cpu) => pushValue(cpu, zero(false)),
    fld1: (cpu) => pushValue(cpu, finite(false, 1n, 0)),
    fldpi: pushConstant(0x3_243f_6a88_85a3_08d3_1319n, -80),
    fldl2t: pushConstant(0x3_5269_e12f_346e_2bf9_24afn, -80),
    fldl2e: pushConstant(0x1_7154_7652_b82f_e177_7d0fn, -80),
    fldlg2: pushConstant(0x4d10_4d42_7de7_fbcc_47c4n, -80),
    fldln2: pushConstant(0xb172_17f7_d1cf_79ab_c9e3n, -80),
  }).map(([mnemonic, execute]) => [mnemonic, waiting(execute)]),
)
