import {
  BASE_RIP,
  NO_REGISTER,
  OPERAND_BRANCH,
  OPERAND_CONTROL,
  OPERAND_DEBUG,
  OPERAND_FAR,
  OPERAND_IMMEDIATE,
  OPERAND_MEMORY,
  type Operand,
} from '@trapframe/core'
import { type Instruction, MemorySizeExt, OpKind, Register } from './iced.js'
import type { Operation } from './operation.js'
import { registerFacts } from './registers.js'

/** What operands need to know of the instruction around them. */
export interface Surroundings {
  readonly length: number
  readonly codeSize: number
  readonly operandSize: number
  readonly addressSize: number
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

const ES = 0
const SS = 2
const DS = 3
const RSP = 4
const RBP = 5
const RSI = 6
const RDI = 7

/** Operand `i` of an instruction that was decoded at address 0. */
export function readOperand(instruction: Instruction, i: number, operation: Operation, around: Surroundings): Operand {
  const kind = instruction.opKind(i)
  if (kind === OpKind.Register) return registerOperand(instruction.opRegister(i), around)
  if (kind >= OpKind.Immediate8 && kind <= OpKind.Immediate32to64) return immediate(instruction, kind)
  if (kind === OpKind.FarBranch16 || kind === OpKind.FarBranch32) return farPointer(instruction, kind)
  if (kind >= OpKind.NearBranch16 && kind <= OpKind.NearBranch64) return branch(instruction, kind, around)
  const size = operation.addressOnly ? 0 : MemorySizeExt.size(instruction.memorySize)
  if (kind === OpKind.Memory) return memory(instruction, size, around)
  return stringMemory(instruction, kind, size, around)
}

function blank(kind: Operand['kind'], size: number): Writable<Operand> {
  return {
    kind,
    size,
    register: NO_REGISTER,
    high: false,
    segment: NO_REGISTER,
    base: NO_REGISTER,
    index: NO_REGISTER,
    scale: 1,
    lo: 0,
    hi: 0,
    selector: 0,
  }
}

function registerOperand(register: Register, around: Surroundings): Operand {
  const facts = registerFacts(register)
  const special = facts.kind === OPERAND_CONTROL || facts.kind === OPERAND_DEBUG
  const operand = blank(facts.kind, special && around.codeSize !== 64 ? 4 : facts.size)
  operand.register = facts.number
  operand.high = facts.high
  return operand
}

/** Immediates that the instruction sign-extends come with their sign in all 64 bits, others zero-extended. */
function immediate(instruction: Instruction, kind: OpKind): Operand {
  const operand = blank(OPERAND_IMMEDIATE, 1)
  switch (kind) {
    case OpKind.Immediate8_2nd:
      operand.lo = instruction.immediate8_2nd
      return operand
    case OpKind.Immediate16:
      operand.size = 2
      operand.lo = instruction.immediate16
      return operand
    case OpKind.Immediate32:
      operand.size = 4
      operand.lo = instruction.immediate32 | 0
      return operand
    case OpKind.Immediate64: {
      const value = instruction.immediate64
      operand.size = 8
      operand.lo = Number(BigInt.asIntN(32, value))
      operand.hi = Number(BigInt.asIntN(32, value >> 32n))
      return operand
    }
    case OpKind.Immediate32to64:
      operand.size = 8
      operand.lo = instruction.immediate32 | 0
      operand.hi = operand.lo >> 31
      return operand
    case OpKind.Immediate8to16:
    case OpKind.Immediate8to32:
    case OpKind.Immediate8to64:
      operand.size = kind === OpKind.Immediate8to16 ? 2 : kind === OpKind.Immediate8to32 ? 4 : 8
      operand.lo = (instruction.immediate8 << 24) >> 24
      operand.hi = operand.lo >> 31
      return operand
    default:
      operand.lo = instruction.immediate8
      return operand
  }
}

function farPointer(instruction: Instruction, kind: OpKind): Operand {
  const wide = kind === OpKind.FarBranch32
  const operand = blank(OPERAND_FAR, wide ? 6 : 4)
  operand.lo = wide ? instruction.farBranch32 | 0 : instruction.farBranch16
  operand.selector = instruction.farBranchSelector
  return operand
}

/** The instruction lies at 0, so its target is its length plus the displacement, cut to the operand size. */
function branch(instruction: Instruction, kind: OpKind, around: Surroundings): Operand {
  const operand = blank(OPERAND_BRANCH, around.operandSize)
  operand.lo =
    kind === OpKind.NearBranch16
      ? ((instruction.nearBranch16 - around.length) << 16) >> 16
      : kind === OpKind.NearBranch32
        ? (instruction.nearBranch32 - around.length) | 0
        : (Number(BigInt.asIntN(32, instruction.nearBranch64)) - around.length) | 0
  operand.hi = operand.lo >> 31
  return operand
}

function memory(instruction: Instruction, size: number, around: Surroundings): Operand {
  const operand = blank(OPERAND_MEMORY, size)
  const base = instruction.memoryBase
  const index = instruction.memoryIndex
  const displacement = instruction.memoryDisplacement
  operand.lo = Number(BigInt.asIntN(32, displacement))
  operand.hi = Number(BigInt.asIntN(32, displacement >> 32n))
  if (base === Register.RIP || base === Register.EIP) {
    operand.base = BASE_RIP
    operand.lo = (operand.lo - around.length) | 0
    operand.hi = operand.lo >> 31
  } else {
    if (base !== Register.None) operand.base = registerFacts(base).number
    // XLATB's index is AL, which no SIB byte can name: whoever executes XLATB knows it
    if (index !== Register.None && index !== Register.AL) {
      operand.index = registerFacts(index).number
      operand.scale = instruction.memoryIndexScale
    }
  }
  operand.segment = segmentOf(instruction, operand.base === RSP || operand.base === RBP ? SS : DS, around)
  return operand
}

/** Only FS and GS overrides count in 64-bit mode, where iced reports the others as it met them. */
function segmentOf(instruction: Instruction, byDefault: number, around: Surroundings): number {
  if (around.codeSize !== 64) return registerFacts(instruction.memorySegment).number
  const prefix = instruction.segmentPrefix
  return prefix === Register.FS || prefix === Register.GS ? registerFacts(prefix).number : byDefault
}

/** `seg:[rSI]` and `ES:[rDI]` as ordinary memory operands, so that effective addresses have one way. */
function stringMemory(instruction: Instruction, kind: OpKind, size: number, around: Surroundings): Operand {
  const operand = blank(OPERAND_MEMORY, size)
  const destination = kind >= OpKind.MemoryESDI && kind <= OpKind.MemoryESRDI
  operand.base = kind >= OpKind.MemorySegSI && kind <= OpKind.MemorySegRSI ? RSI : RDI
  operand.segment = destination ? ES : segmentOf(instruction, DS, around)
  return operand
}
