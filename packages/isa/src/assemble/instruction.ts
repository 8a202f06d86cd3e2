import type { CodeSize, Place } from '@trapframe/core'
import type { Register } from '../decode/iced.js'
import type { Address } from './address.js'
import type { Form } from './form.js'
import type { MemoryReference, Operand } from './operand.js'

/** Prefixes written before an instruction. */
export interface Prefixes {
  lock: boolean
  rep: boolean
  repne: boolean
  notrack: boolean
  segment: Register | undefined
  /** `o16` and its like, in bits. */
  operandSize: number | undefined
  /** `a32` and its like, in bits. */
  addressSize: number | undefined
}

/** An instruction as it is written. */
export interface WrittenInstruction {
  readonly name: string
  readonly prefixes: Prefixes
  readonly operands: readonly Operand[]
  readonly codeSize: CodeSize
  /** `default rel` is in force: an address without registers is relative to RIP. */
  readonly defaultRelative: boolean
  /** Of the mnemonic. */
  readonly namePlace: Place
  /** Of the whole instruction. */
  readonly place: Place
}

/** An operand whose address has been taken apart. */
export type ReadyOperand = Exclude<Operand, MemoryReference> | ReadyMemory

export interface ReadyMemory extends MemoryReference {
  readonly parts: Address
}

/** A form that the operands fit, and the operand for each of its kinds; undefined where the form implies it. */
export interface Candidate {
  readonly form: Form
  readonly slots: readonly (ReadyOperand | undefined)[]
}
