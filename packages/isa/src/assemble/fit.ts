import { OpCodeOperandKind, Register } from '../decode/iced.js'
import type { Form } from './form.js'
import type { ReadyMemory, ReadyOperand } from './instruction.js'
import { type Accepts, accepts } from './kinds.js'
import { registerFile } from './registers.js'

/**
 * Puts operands into the places of a form: which operand, or undefined where the form implies one. Undefined when they
 * do not go together. Values are not looked at: whether they fit is known only when labels are.
 */
export function fit(form: Form, operands: readonly ReadyOperand[]): (ReadyOperand | undefined)[] | undefined {
  const slots: (ReadyOperand | undefined)[] = []
  let missing = form.kinds.length - operands.length
  if (
    missing < 0 ||
    (missing > 0 && missing !== form.kinds.length && !form.kinds.some((kind) => canBeLeftOut(form, kind)))
  )
    return undefined
  if (missing > 0 && operands.length === 0 && !standsAlone(form)) return undefined
  let next = 0
  for (const kind of form.kinds) {
    if (missing > 0 && (operands.length === 0 || canBeLeftOut(form, kind))) {
      missing--
      slots.push(undefined)
      continue
    }
    const operand = operands[next++]
    const fitting = operand === undefined ? undefined : fitOne(form, accepts(kind), operand)
    if (fitting === undefined) return undefined
    slots.push(fitting)
  }
  return next === operands.length ? slots : undefined
}

/** ST(0), MASKMOVQ's destination and a string's accumulator are often not written, though other operands are. */
function canBeLeftOut(form: Form, kind: OpCodeOperandKind): boolean {
  if (kind === OpCodeOperandKind.st0 || kind === OpCodeOperandKind.seg_rDI) return true
  return form.string && kind >= OpCodeOperandKind.al && kind <= OpCodeOperandKind.rax
}

/** `movsb`, `xlatb`; `faddp` and `fxch` mean ST(1) and ST(0). */
function standsAlone(form: Form): boolean {
  if (form.string || form.kinds[0] === OpCodeOperandKind.seg_rBX_al) return true
  return form.kinds.includes(OpCodeOperandKind.sti_opcode) && /^(?:f\w+p|fxch|fu?com) /.test(form.text)
}

/** One operand in one place of a form: the operand as the form has it, or undefined. */
export function fitOne(form: Form, accepted: Accepts, operand: ReadyOperand): ReadyOperand | undefined {
  switch (operand.type) {
    case 'register': {
      const file = registerFile(operand.register)
      if (accepted.register !== undefined) return accepted.register === operand.register ? operand : undefined
      if (accepted.file === file) return operand
      if (form.readsWord && accepted.file === 'r32' && file === 'r16') {
        return { ...operand, register: operand.register + (Register.EAX - Register.AX) }
      }
      return undefined
    }
    case 'memory':
      return fitsMemory(form, accepted, operand) ? operand : undefined
    case 'value': {
      const { immediate, branch } = accepted
      const { size, distance, strict } = operand
      if (immediate !== undefined && distance === undefined) {
        const fits = size === undefined || size === immediate.encoded || (size === immediate.extended && !strict)
        return fits ? operand : undefined
      }
      if (branch === undefined || distance === 'far') return undefined
      if (distance !== undefined && (distance === 'short') !== (branch.bytes === 1)) return undefined
      return size === undefined || size * 8 === form.operandSize ? operand : undefined
    }
    case 'far':
      if (accepted.far === undefined) return undefined
      return operand.size === undefined || operand.size * 8 === form.operandSize ? operand : undefined
  }
}

function fitsMemory(form: Form, { memory }: Accepts, operand: ReadyMemory): boolean {
  if (memory === undefined || !fitsSize(form, operand)) return false
  if (memory === 'modrm') return true
  const { base, index, displacement } = operand.parts
  if (memory === 'offset') return base === Register.None && index === Register.None && !operand.relative
  if (index !== Register.None || displacement !== undefined) return false
  if (memory === 'source') return SOURCES.has(base)
  if (memory === 'table') return TABLES.has(base)
  if (memory === 'destination' && (operand.segment ?? Register.ES) !== Register.ES) return false
  return DESTINATIONS.has(base)
}

const SOURCES: ReadonlySet<Register> = new Set([Register.SI, Register.ESI, Register.RSI])
const DESTINATIONS: ReadonlySet<Register> = new Set([Register.DI, Register.EDI, Register.RDI])
const TABLES: ReadonlySet<Register> = new Set([Register.BX, Register.EBX, Register.RBX])

/** Whether the size keyword agrees. `far dword` is a pointer with a 32-bit offset, `fword` the same by its bytes. */
function fitsSize(form: Form, { size, far }: ReadyMemory): boolean {
  if (form.far) {
    if (size === 6) return form.operandSize === 32
    if (size === 10) return form.operandSize === 64
    return far && (size === undefined || size * 8 === form.operandSize)
  }
  if (far) return false
  if (size === undefined || form.memorySize === 0 || size === form.memorySize) return true
  return size === 6 && form.memorySize === 10
}
