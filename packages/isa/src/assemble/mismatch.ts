import { Register } from '../decode/iced.js'
import { AssemblyError } from './error.js'
import { fit, fitOne } from './fit.js'
import type { Form } from './form.js'
import type { ReadyOperand, WrittenInstruction } from './instruction.js'
import { accepts } from './kinds.js'
import { registerFile, registerName } from './registers.js'

const MOST_LISTED = 6

/**
 * The error for operands that go with no form: why, where that is plain, or else the forms that come nearest.
 *
 * @param known forms in any mode
 * @param forms those of this mode
 */
export function noForm(
  { name, place, codeSize }: WrittenInstruction,
  operands: readonly ReadyOperand[],
  known: readonly Form[],
  forms: readonly Form[],
): AssemblyError {
  const elsewhere = known.some((form) => !form.modes[codeSize] && fit(form, operands) !== undefined)
  const message = `"${name}" does not take these operands${elsewhere ? ` in ${codeSize}-bit code` : ''}`
  return new AssemblyError('operands', message, place, hint(operands, forms))
}

function hint(operands: readonly ReadyOperand[], forms: readonly Form[]): string {
  const [first, second] = operands
  if (first?.type === 'register' && second?.type === 'register') {
    const [one, other] = [width(first.register), width(second.register)]
    if (one !== undefined && other !== undefined && one !== other && forms.some((form) => form.kinds.length === 2)) {
      const sizes = `${registerName(first.register)} has ${one} bits, ${registerName(second.register)} ${other}`
      return `${sizes}; ${listing(operands, forms)}`
    }
  }
  const bracketed = operands.map((operand) => (operand.type === 'value' ? inBrackets(operand) : operand))
  if (forms.some((form) => fit(form, bracketed) !== undefined)) return 'memory is written in brackets'
  return listing(operands, forms)
}

function listing(operands: readonly ReadyOperand[], forms: readonly Form[]): string {
  const likeness = (form: Form) =>
    operands.filter((operand, i) => {
      const kind = form.kinds[i]
      return kind !== undefined && fitOne(form, accepts(kind), operand) !== undefined
    }).length - Math.abs(form.kinds.length - operands.length)
  const ranked = forms.map((form) => ({ text: form.text, likeness: likeness(form) }))
  ranked.sort((a, b) => b.likeness - a.likeness)
  const texts = [...new Set(ranked.map(({ text }) => text))]
  const more = texts.length > MOST_LISTED ? `; and ${texts.length - MOST_LISTED} more` : ''
  return `its forms: ${texts.slice(0, MOST_LISTED).join('; ')}${more}`
}

function width(register: Register): number | undefined {
  const file = registerFile(register)
  return file === 'r8' || file === 'r16' || file === 'r32' || file === 'r64' ? Number(file.slice(1)) : undefined
}

function inBrackets({ value, size, place }: ReadyOperand & { type: 'value' }): ReadyOperand {
  const parts = { base: Register.None, index: Register.None, scale: 1, displacement: value, size: undefined }
  const nothing = { segment: undefined, relative: undefined, displacementSize: undefined }
  return { type: 'memory', address: value, size, far: false, ...nothing, place, parts }
}
