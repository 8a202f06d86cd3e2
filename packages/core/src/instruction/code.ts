import type { Cpu } from '../cpu/cpu.js'
import type { CodeSize, Decoded } from './decoded.js'

/**
 * What an instruction does. When it is called RIP is already the next instruction; registers must be changed only when
 * nothing can fault any more, for a thrown Fault restores RIP and nothing else.
 */
export type Semantics = (cpu: Cpu, insn: Decoded) => void

/** A decoded instruction as it sits in its page's table: with the semantics that the active mechanism gives it. */
export class Code {
  readonly insn: Decoded
  readonly length: number
  readonly codeSize: CodeSize
  /** Identity of the dispatch table that `run` was taken from. */
  table: number
  run: Semantics

  constructor(insn: Decoded, table: number, run: Semantics) {
    this.insn = insn
    this.length = insn.length
    this.codeSize = insn.codeSize
    this.table = table
    this.run = run
  }
}
