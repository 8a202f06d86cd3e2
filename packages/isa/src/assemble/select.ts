import { Register } from '../decode/iced.js'
import { takeApart } from './address.js'
import { AssemblyError } from './error.js'
import { evaluate } from './evaluate.js'
import { fit } from './fit.js'
import { type Form, formsNamed } from './form.js'
import type { Candidate, ReadyMemory, ReadyOperand, WrittenInstruction } from './instruction.js'
import { noForm } from './mismatch.js'
import type { MemoryReference } from './operand.js'
import { needs64Bit, registerName } from './registers.js'
import { asEncoded, countSize } from './shorthand.js'
import type { SymbolTable } from './symbols.js'

const COMMUTATIVE: ReadonlySet<string> = new Set(['test', 'xchg'])
const FAR_NAMES: ReadonlySet<string> = new Set(['callf', 'jmpf', 'lcall', 'ljmp'])

/**
 * The forms in which an instruction can be encoded, as far as its operands' kinds and sizes decide that; all of them
 * mean the same, so that the shortest that takes the values may be chosen.
 *
 * @throws AssemblyError when the operands go with no form, or with forms of several sizes
 */
export function select(instruction: WrittenInstruction, symbols: SymbolTable): readonly Candidate[] {
  const { name, codeSize, prefixes } = instruction
  const known = formsNamed(name) ?? []
  const operands = instruction.operands.map((operand) => ready(operand, instruction, symbols))
  const forms = known.filter((form) => form.modes[codeSize])
  if (forms.length === 0) {
    const message = `"${name}" does not exist in ${codeSize}-bit code`
    throw new AssemblyError('mode', message, instruction.namePlace)
  }
  let candidates = fitting(forms, operands, instruction)
  if (candidates.length === 0) throw noForm(instruction, operands, known, forms)
  if (prefixes.operandSize !== undefined) candidates = ofOperandSize(candidates, prefixes.operandSize, instruction)
  candidates = ofAddressSize(candidates, prefixes.addressSize ?? countSize(instruction) ?? codeSize)
  return ofOneSize(candidates, operands, instruction)
}

function ready(
  operand: MemoryReference | ReadyOperand,
  instruction: WrittenInstruction,
  symbols: SymbolTable,
): ReadyOperand {
  const { codeSize } = instruction
  const refuse64 = (register: Register) => {
    if (codeSize === 64 || register === Register.None || !needs64Bit(register)) return
    throw new AssemblyError('mode', `${registerName(register)} exists in 64-bit code only`, operand.place)
  }
  if (operand.type === 'register') refuse64(operand.register)
  if (operand.type !== 'memory') return operand
  const around = { here: 0n, origin: 0n, symbols }
  const parts = takeApart(operand.address, (expression) => evaluate(expression, around))
  refuse64(parts.base)
  refuse64(parts.index)
  const far = operand.far || FAR_NAMES.has(instruction.name)
  const absolute = parts.base === Register.None && parts.index === Register.None
  if (operand.relative === true && !absolute) {
    throw new AssemblyError('operands', 'a relative address has no registers', operand.place)
  }
  const plain = operand.segment !== Register.FS && operand.segment !== Register.GS
  const relative = operand.relative ?? (absolute && plain && instruction.defaultRelative)
  return { ...operand, far, relative: relative && codeSize === 64, parts } satisfies ReadyMemory
}

function fitting(forms: readonly Form[], given: readonly ReadyOperand[], instruction: WrittenInstruction) {
  const { name, codeSize } = instruction
  const candidates: Candidate[] = []
  const operands = asEncoded(given, instruction)
  const swapped = COMMUTATIVE.has(name) && operands.length === 2 ? [operands[1]!, operands[0]!] : undefined
  for (const form of forms) {
    const slots = fit(form, operands) ?? (swapped && fit(form, swapped))
    if (slots !== undefined && !(codeSize === 64 && isNopInDisguise(form, slots))) candidates.push({ form, slots })
  }
  return candidates
}

/** `xchg eax, eax` clears the upper half of RAX; its short encoding, 90h, is NOP and does not. */
function isNopInDisguise(form: Form, slots: Candidate['slots']): boolean {
  if (form.text !== 'xchg r32, eax') return false
  return slots.every((slot) => slot?.type === 'register' && slot.register === Register.EAX)
}

function ofOperandSize(candidates: Candidate[], size: number, instruction: WrittenInstruction): Candidate[] {
  const found = candidates.filter(({ form }) => form.operandSize === size)
  if (found.length > 0) return found
  // 66h before an instruction that has no operand size is written as it stands
  const indifferent = candidates.filter(({ form }) => size === 16 && form.ignoresOperandSize)
  if (indifferent.length > 0) return indifferent
  const message = `"${instruction.name}" has no ${size}-bit form for these operands`
  throw new AssemblyError('operands', message, instruction.place)
}

/** LOOP, MONITOR and their like exist for each address size; they are told apart by it alone. */
function ofAddressSize(candidates: Candidate[], size: number): Candidate[] {
  const found = candidates.filter(({ form }) => form.addressSize === 0 || form.addressSize === size)
  return found.length > 0 ? found : candidates
}

function ofOneSize(candidates: Candidate[], operands: readonly ReadyOperand[], instruction: WrittenInstruction) {
  const { codeSize } = instruction
  const openMemory = operands.some((operand) => operand.type === 'memory' && operand.size === undefined)
  const sizesDiffer = new Set(candidates.map(({ form }) => form.memorySize)).size > 1
  const hasDefault = candidates.some(({ form }) => form.hasDefaultSize)
  const named = openMemory && sizesDiffer && !hasDefault ? keywordsFor(candidates) : []
  if (named.length > 1) throw openSize(named, instruction)
  const sizes = new Set(candidates.map(({ form }) => form.operandSize))
  if (sizes.size <= 1) return candidates
  const wide = codeSize === 64 && candidates.some(({ form }) => form.defaults64)
  const size = wide ? 64 : codeSize === 16 ? 16 : 32
  const found = candidates.filter(({ form }) => form.operandSize === size || form.operandSize === 0)
  return found.length > 0 ? found : candidates
}

const KEYWORDS: Readonly<Record<number, string>> = {
  1: 'byte',
  2: 'word',
  4: 'dword',
  8: 'qword',
  10: 'tword',
  16: 'oword',
}

/** Keywords for the sizes that the memory operand can have. */
function keywordsFor(candidates: readonly Candidate[]): string[] {
  const sizes = [...new Set(candidates.map(({ form }) => form.memorySize))].sort((a, b) => a - b)
  return sizes.map((size) => KEYWORDS[size]).filter((keyword) => keyword !== undefined)
}

function openSize(named: readonly string[], instruction: WrittenInstruction): AssemblyError {
  const place = instruction.operands.find((operand) => operand.type === 'memory')!.place
  return new AssemblyError(
    'ambiguous-size',
    'nothing tells how many bytes of memory are meant',
    place,
    `write ${named.join(', ')} before the bracket`,
  )
}
