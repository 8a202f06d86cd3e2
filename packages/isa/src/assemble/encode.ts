import type { CodeSize } from '@trapframe/core'
import { Encoder, Instruction, OpCodeOperandKind, OpKind, Register } from '../decode/iced.js'
import { fillMemory, fillStringMemory } from './encode-memory.js'
import { type Encoding, type Unfit, unfit, type Work } from './encoding.js'
import { type Circumstances, evaluate } from './evaluate.js'
import type { Candidate, ReadyOperand, WrittenInstruction } from './instruction.js'
import { type Accepts, accepts, fitted } from './kinds.js'

const RAW_OPERAND_SIZE = 0x66

const encoders = new Map<CodeSize, Encoder>()

function encoderFor(codeSize: CodeSize): Encoder {
  let encoder = encoders.get(codeSize)
  if (encoder === undefined) {
    encoder = new Encoder(codeSize)
    encoders.set(codeSize, encoder)
  }
  return encoder
}

/**
 * The bytes of an instruction in one of its forms at `around.here`.
 *
 * @param long takes displacements in full width, so that the length no longer depends on their values
 */
export function encode(
  candidate: Candidate,
  written: WrittenInstruction,
  around: Circumstances,
  long: boolean,
): Encoding {
  const raw = written.prefixes.operandSize === 16 && candidate.form.operandSize !== 16
  const at = raw ? around.here + 1n : around.here
  const instruction = new Instruction()
  try {
    const work: Work = { instruction, candidate, written, around, long, next: at }
    const problem = fill(work)
    if (problem !== undefined) return problem
    let bytes = run(work, at)
    if (bytes instanceof Uint8Array && work.literalDisplacement) {
      // [rip + 8] counts from the next instruction, which is known only now
      work.next = at + BigInt(bytes.length)
      const again = fill(work)
      if (again !== undefined) return again
      bytes = run(work, at)
    }
    if (!raw || !(bytes instanceof Uint8Array)) return bytes
    return Uint8Array.from([RAW_OPERAND_SIZE, ...bytes])
  } finally {
    instruction.free()
  }
}

function run({ instruction, written }: Work, at: bigint): Encoding {
  const encoder = encoderFor(written.codeSize)
  try {
    encoder.encode(instruction, BigInt.asUintN(64, at))
    return encoder.takeBuffer()
  } catch (error) {
    encoder.takeBuffer()
    const branch = instruction.op0Kind >= OpKind.NearBranch16 && instruction.op0Kind <= OpKind.NearBranch64
    const message = error instanceof Error ? error.message : String(error)
    return unfit(branch ? 'out-of-range' : 'encoding', lowered(message), written.place, 0)
  }
}

/** iced's sentence without the instruction that it repeats. */
function lowered(message: string): string {
  if (/^(?:Operand \d+: )?Register \d+ is not/i.test(message)) return 'this encoding cannot name one of the registers'
  const sentence = message
    .replace(/ \([^()]*\)$/, '')
    .replace(/^Operand \d+: /, '')
    .replace(/\.$/, '')
  return `this cannot be encoded: ${sentence.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase())}`
}

function fill(work: Work): Unfit | undefined {
  const { instruction, candidate, written } = work
  const { prefixes } = written
  instruction.code = candidate.form.code
  instruction.hasLockPrefix = prefixes.lock
  instruction.hasRepPrefix = prefixes.rep
  instruction.hasRepnePrefix = prefixes.repne
  if (prefixes.notrack) instruction.segmentPrefix = Register.DS
  if (prefixes.segment !== undefined) instruction.segmentPrefix = prefixes.segment
  for (const [i, kind] of candidate.form.kinds.entries()) {
    const accepted = accepts(kind)
    const operand = candidate.slots[i]
    const problem =
      operand === undefined ? fillImplied(work, i, kind, accepted) : fillOperand(work, i, accepted, operand)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** String operands at the address size of the prefixes; registers that the encoding fixes; ST(1) of `faddp`. */
function fillImplied(work: Work, i: number, kind: OpCodeOperandKind, accepted: Accepts): undefined {
  const { instruction, written } = work
  const size = (written.prefixes.addressSize ?? written.codeSize) / 8
  if (accepted.memory !== undefined) return fillStringMemory(instruction, i, accepted, size)
  instruction.setOpKind(i, OpKind.Register)
  instruction.setOpRegister(
    i,
    accepted.register ?? (kind === OpCodeOperandKind.sti_opcode ? Register.ST1 : Register.None),
  )
  return undefined
}

function fillOperand(work: Work, i: number, accepted: Accepts, operand: ReadyOperand): Unfit | undefined {
  const { instruction, around } = work
  switch (operand.type) {
    case 'register':
      instruction.setOpKind(i, OpKind.Register)
      instruction.setOpRegister(i, operand.register)
      return undefined
    case 'memory':
      return fillMemory(work, i, accepted, operand)
    case 'far': {
      const wide = accepted.far === OpKind.FarBranch32
      const offset = evaluate(operand.offset, around)
      const selector = evaluate(operand.selector, around)
      if (selector < 0n || selector > 0xffffn || offset < 0n || offset > (wide ? 0xffffffffn : 0xffffn)) {
        return unfit('out-of-range', 'the far pointer does not fit', operand.place, wide ? 4 : 2)
      }
      instruction.setOpKind(i, accepted.far!)
      if (wide) instruction.farBranch32 = Number(offset)
      else instruction.farBranch16 = Number(offset)
      instruction.farBranchSelector = Number(selector)
      return undefined
    }
    case 'value':
      return accepted.immediate === undefined
        ? fillBranch(work, i, accepted, operand)
        : fillImmediate(work, i, accepted.immediate, operand)
  }
}

function fillImmediate(
  { instruction, around }: Work,
  i: number,
  kind: NonNullable<Accepts['immediate']>,
  operand: ReadyOperand & { type: 'value' },
): Unfit | undefined {
  const given = evaluate(operand.value, around)
  const value = fitted(kind, given)
  if (value === undefined) {
    const range = kind.least === kind.most ? `must be ${kind.least}` : `goes from ${kind.least} to ${kind.most}`
    return unfit('out-of-range', `${given} does not fit: the immediate ${range}`, operand.place, kind.encoded)
  }
  const second = i > 0 && kind.opKind === OpKind.Immediate8 && isImmediate(instruction.opKind(i - 1))
  instruction.setOpKind(i, second ? OpKind.Immediate8_2nd : kind.opKind)
  instruction.setImmediateI64(i, BigInt.asIntN(64, value))
  return undefined
}

const isImmediate = (kind: OpKind) => kind >= OpKind.Immediate8 && kind <= OpKind.Immediate32to64

function fillBranch(work: Work, i: number, { branch }: Accepts, operand: ReadyOperand & { type: 'value' }) {
  const { instruction, around, written } = work
  const kind = branch!.opKind ?? branchKind(written.codeSize)
  const width = kind === OpKind.NearBranch16 ? 16 : kind === OpKind.NearBranch32 ? 32 : 64
  const target = evaluate(operand.value, around)
  const distance = BigInt.asIntN(width, target - around.here)
  // where exactly the limit lies is the encoder's to say; this spares it the obvious
  const most = branch!.bytes === 1 ? 160n : 0x8000_0010n
  if (distance > most || distance < -most) return tooFar(operand, distance, branch!.bytes)
  instruction.setOpKind(i, kind)
  if (kind === OpKind.NearBranch16) instruction.nearBranch16 = Number(BigInt.asUintN(16, target))
  else if (kind === OpKind.NearBranch32) instruction.nearBranch32 = Number(BigInt.asUintN(32, target))
  else instruction.nearBranch64 = BigInt.asUintN(64, target)
  return undefined
}

/** How iced wants to be told of XBEGIN's target. */
function branchKind(codeSize: CodeSize): OpKind {
  return codeSize === 64 ? OpKind.NearBranch64 : OpKind.NearBranch32
}

function tooFar(operand: ReadyOperand, distance: bigint, reach: number): Unfit {
  const message = `the target is ${distance < 0n ? -distance : distance} bytes away`
  const limit = reach === 1 ? 'a short branch reaches 128 bytes back and 127 on' : 'a near branch reaches 2 GiB'
  return unfit('out-of-range', message, operand.place, reach, limit)
}
