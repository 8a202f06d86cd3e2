import {
  OPERAND_CONTROL,
  OPERAND_DEBUG,
  OPERAND_GPR,
  OPERAND_OTHER,
  OPERAND_SEGMENT,
  OPERAND_X87,
  OPERAND_XMM,
  type OperandKind,
} from '@trapframe/core'
import { Register, RegisterExt } from './iced.js'

/** An iced register in the terms of {@link Operand}. */
export interface RegisterFacts {
  readonly kind: OperandKind
  readonly number: number
  readonly size: number
  /** AH, CH, DH or BH. */
  readonly high: boolean
}

const facts: (RegisterFacts | undefined)[] = []

/** What a register of iced is to core; computed when first asked for. */
export function registerFacts(register: Register): RegisterFacts {
  return (facts[register] ??= describe(register))
}

function describe(register: Register): RegisterFacts {
  const high = register >= Register.AH && register <= Register.BH
  return { kind: kindOf(register), number: numberOf(register), size: RegisterExt.size(register), high }
}

/** As encoded; iced counts AH–BH as byte registers 4–7 and goes on with SPL as 8. */
function numberOf(register: Register): number {
  const byteAfterBl = register > Register.BL && register <= Register.R15L
  return RegisterExt.number(register) - (byteAfterBl ? 4 : 0)
}

function kindOf(register: Register): OperandKind {
  if (RegisterExt.isGPR(register)) return OPERAND_GPR
  if (RegisterExt.isSegmentRegister(register)) return OPERAND_SEGMENT
  if (RegisterExt.isCR(register)) return OPERAND_CONTROL
  if (RegisterExt.isDR(register)) return OPERAND_DEBUG
  if (RegisterExt.isXMM(register)) return OPERAND_XMM
  if (RegisterExt.isST(register)) return OPERAND_X87
  return OPERAND_OTHER
}
