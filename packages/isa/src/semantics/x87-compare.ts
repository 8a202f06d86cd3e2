import {
  ARITHMETIC_FLAGS,
  CF,
  type Cpu,
  type Decoded,
  OPERAND_X87,
  PF,
  RFLAGS,
  type Semantics,
  ZF,
} from '@trapframe/core'
import { compare, type Order } from '../float/arithmetic.js'
import { type Float, isNan, isSignaling, zero } from '../float/number.js'
import { DENORMAL, INVALID } from '../float/round.js'
import {
  FSW_C0,
  FSW_C1,
  FSW_C2,
  FSW_C3,
  isEmpty,
  noteX87,
  pop,
  readStack,
  readStackBits,
  setStatusWord,
  stackFault,
  statusWord,
} from './fpu-state.js'
import { waiting } from './x87.js'
import { loadFloat, loadInteger } from './x87-transfer.js'

const BLOCKING = INVALID | DENORMAL
const CODES = FSW_C0 | FSW_C2 | FSW_C3

/** C3, C2, C0 (SDM 1 table 8-6); ZF, PF, CF are the same bits for FCOMI (table 8-7). */
const CODE_OF: Readonly<Record<Order, number>> = {
  greater: 0,
  less: FSW_C0,
  equal: FSW_C3,
  unordered: CODES,
}
const FLAGS_OF: Readonly<Record<Order, number>> = { greater: 0, less: CF, equal: ZF, unordered: ZF | PF | CF }

function setCodes(cpu: Cpu, codes: number): void {
  setStatusWord(cpu, (statusWord(cpu) & ~CODES) | codes)
}

/**
 * `quiet`: only signaling NaNs are #IA (FUCOM). The operands are `undefined` where a register is empty. The answer is written
 * even if an unmasked exception keeps the instruction from popping (measured on Intel's CPUs): false then.
 */
function compareInto(
  cpu: Cpu,
  a: Float | undefined,
  b: Float | undefined,
  quiet: boolean,
  write: (order: Order) => void,
): boolean {
  if (a === undefined || b === undefined) {
    const blocked = stackFault(cpu, false)
    write('unordered')
    return !blocked
  }
  const order = compare(a, b)
  const unsupported = a.kind === 'unsupported' || b.kind === 'unsupported'
  const nan = quiet ? isSignaling(a) || isSignaling(b) : isNan(a) || isNan(b)
  const flags = unsupported || nan ? INVALID : order !== 'unordered' && (a.denormal || b.denormal) ? DENORMAL : 0
  const blocked = noteX87(cpu, flags, false, BLOCKING)
  write(order)
  return !blocked
}

const stackOperand = (cpu: Cpu, i: number): Float | undefined => (isEmpty(cpu, i) ? undefined : readStack(cpu, i))

/** FCOM and FUCOM with their popping forms; without operands ST(1) is compared. */
function comparison(quiet: boolean, pops: number, integer = false): Semantics {
  return (cpu, insn) => {
    const right = rightOperand(cpu, insn, integer)
    const done = compareInto(cpu, stackOperand(cpu, 0), right, quiet, (order) => setCodes(cpu, CODE_OF[order]))
    if (done) for (let i = 0; i < pops; i++) pop(cpu)
  }
}

function rightOperand(cpu: Cpu, insn: Decoded, integer: boolean): Float | undefined {
  const op = insn.operands.at(-1)
  if (op === undefined) return stackOperand(cpu, 1)
  if (op.kind === OPERAND_X87) return stackOperand(cpu, op.register)
  return integer ? loadInteger(cpu, insn, op) : loadFloat(cpu, insn, op)
}

/** FCOMI and FUCOMI: into RFLAGS; OF, SF and AF become 0. */
function comparisonIntoFlags(quiet: boolean, popping: boolean): Semantics {
  return (cpu, insn) => {
    const right = stackOperand(cpu, insn.operands[1]!.register)
    const done = compareInto(cpu, stackOperand(cpu, 0), right, quiet, (order) => {
      cpu.words[RFLAGS] = (cpu.words[RFLAGS]! & ~ARITHMETIC_FLAGS) | FLAGS_OF[order]
    })
    if (done && popping) pop(cpu)
  }
}

const test: Semantics = (cpu) => {
  compareInto(cpu, stackOperand(cpu, 0), zero(false), false, (order) => setCodes(cpu, CODE_OF[order]))
}

/** FXAM: the class in C3, C2, C0, the sign in C1, for an empty register too (SDM 2A FXAM). */
const examine: Semantics = (cpu) => {
  const value = readStack(cpu, 0)
  const [, signExponent] = readStackBits(cpu, 0)
  const sign = (signExponent & 0x8000) !== 0 ? FSW_C1 : 0
  setStatusWord(
    cpu,
    (statusWord(cpu) & ~(CODES | FSW_C1)) | sign | (isEmpty(cpu, 0) ? FSW_C3 | FSW_C0 : classOf(value)),
  )
}

function classOf({ kind, denormal }: Float): number {
  switch (kind) {
    case 'unsupported':
      return 0
    case 'nan':
      return FSW_C0
    case 'infinity':
      return FSW_C2 | FSW_C0
    case 'zero':
      return FSW_C3
    case 'finite':
      return denormal ? FSW_C3 | FSW_C2 : FSW_C2
  }
}

/** x87 comparison (SDM 1 8.3.6). */
export const x87Comparisons: Readonly<Record<string, Semantics>> = Object.fromEntries(
  Object.entries<Semantics>({
    fcom: comparison(false, 0),
    fcomp: comparison(false, 1),
    fcompp: comparison(false, 2),
    fucom: comparison(true, 0),
    fucomp: comparison(true, 1),
    fucompp: comparison(true, 2),
    ficom: comparison(false, 0, true),
    ficomp: comparison(false, 1, true),
    fcomi: comparisonIntoFlags(false, false),
    fcomip: comparisonIntoFlags(false, true),
    fucomi: comparisonIntoFlags(true, false),
    fucomip: comparisonIntoFlags(true, true),
    ftst: test,
    fxam: examine,
  }).map(([mnemonic, execute]) => [mnemonic, waiting(execute)]),
)
