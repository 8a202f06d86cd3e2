import type { Place } from '@trapframe/core'
import type { Instruction } from '../decode/iced.js'
import { AssemblyError, type AssemblyFault } from './error.js'
import type { Circumstances } from './evaluate.js'
import type { Candidate, WrittenInstruction } from './instruction.js'

/** What can be encoded: the bytes, or why not and how far the failed form would have reached. */
export type Encoding = Uint8Array | Unfit

export interface Unfit {
  readonly error: AssemblyError
  /** Bytes of the immediate or the displacement that was too small. */
  readonly reach: number
}

/** One attempt to encode: the iced instruction that is being filled and what it is filled from. */
export interface Work {
  readonly instruction: Instruction
  readonly candidate: Candidate
  readonly written: WrittenInstruction
  readonly around: Circumstances
  readonly long: boolean
  /** Address of the next instruction, as far as it is known. */
  next: bigint
  /** A `[rip + 8]` was met, whose bytes depend on `next`. */
  literalDisplacement?: boolean
}

export function unfit(fault: AssemblyFault, message: string, place: Place, reach: number, hint?: string): Unfit {
  return { error: new AssemblyError(fault, message, place, hint), reach }
}
