/**
 * What a decoder makes of machine code. Plain objects of one shape each, so that the stepping loop stays monomorphic;
 * nothing in here depends on where the instruction lies, so that it can be cached with its page.
 */

/** Kinds of operand. */
export const OPERAND_GPR = 0
export const OPERAND_MEMORY = 1
export const OPERAND_IMMEDIATE = 2
/** A near branch target, as a displacement from the next instruction in `lo`/`hi`. */
export const OPERAND_BRANCH = 3
/** An immediate far pointer (compatibility mode): `selector` and the offset in `lo`. */
export const OPERAND_FAR = 4
export const OPERAND_SEGMENT = 5
export const OPERAND_CONTROL = 6
export const OPERAND_DEBUG = 7
export const OPERAND_XMM = 8
export const OPERAND_X87 = 9
/** A register of a class that core has no number for; `name` in the instruction's text tells. */
export const OPERAND_OTHER = 10

/** One of the numbers above. */
export type OperandKind = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10

/** `base` of a RIP-relative memory operand; `index` and `base` are -1 where there is none. */
export const BASE_RIP = 16
export const NO_REGISTER = -1

/**
 * One operand. Every field is always there (one hidden class); which ones mean something follows from `kind`.
 * 64-bit values are two signed 32-bit halves, `lo` and `hi`.
 */
export interface Operand {
  readonly kind: OperandKind
  /** Width in bytes: 1, 2, 4, 8, 10 or 16; far pointers in memory: 4, 6 or 10; 0 where memory is only addressed. */
  readonly size: number
  /** Number of a register in its class. Segments: ES 0, CS 1, SS 2, DS 3, FS 4, GS 5. */
  readonly register: number
  /** AH, CH, DH or BH: `register` is then 0–3 and the byte is bits 15:8. */
  readonly high: boolean
  /** Memory: the segment in use, prefixes and defaults applied. */
  readonly segment: number
  /** Memory: 0–15, {@link BASE_RIP} or {@link NO_REGISTER}. */
  readonly base: number
  /** Memory: 0–15 or {@link NO_REGISTER}. */
  readonly index: number
  /** Memory: 1, 2, 4 or 8. */
  readonly scale: number
  /** Immediate value, sign-extended to 64 bits as the instruction does; memory displacement; branch displacement. */
  readonly lo: number
  readonly hi: number
  /** Selector of an immediate far pointer. */
  readonly selector: number
}

/** Width of the code segment that an instruction was decoded for. */
export type CodeSize = 16 | 32 | 64

/** An instruction as the decoder hands it to its semantics. */
export interface Decoded {
  /**
   * The operation's name in lower case, without a width, which `operandSize` tells: `int`, `int3`, `iret`, `sysret`,
   * `pushf`, `movs`, `je`. Far transfers are `callf`, `jmpf` and `retf`; where the manual has one name for each width
   * and no common one (`cwde`, `rdsspq`, `jrcxz`) it stays. The SSE instructions keep `movsd` and `cmpsd`.
   */
  readonly mnemonic: string
  /** Length in bytes, prefixes included, 1–15. */
  readonly length: number
  readonly codeSize: CodeSize
  /** Effective operand size in bytes: 1, 2, 4 or 8. */
  readonly operandSize: number
  /** Effective address size in bytes: 2, 4 or 8. */
  readonly addressSize: number
  readonly operands: readonly Operand[]
  readonly lock: boolean
  readonly rep: boolean
  readonly repne: boolean
  /** A 3Eh prefix on an indirect branch with IBT. */
  readonly notrack: boolean
  /** The instruction in Intel syntax, for people; made when asked for. */
  readonly text: string
}

/**
 * The slot that a decoder fills: at most 15 bytes of code, of which as many are given as could be fetched, decoded for
 * a code size. `null` means an undefined opcode (#UD). `truncated` means that more bytes are needed to tell: the
 * stepping loop then takes the fault that fetching them raises. `too-long` means an instruction of more than 15 bytes:
 * #GP(0).
 */
export interface Decoder {
  decode(bytes: Uint8Array, codeSize: CodeSize, vendor: 'intel' | 'amd'): Decoded | 'truncated' | 'too-long' | null
}
