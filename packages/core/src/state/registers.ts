/**
 * Where the architectural state of a CPU lies in its flat buffer, in 32-bit words. A 64-bit register takes two words,
 * low half first, and starts at an even word, so that it is also one element of the 64-bit view.
 *
 * The order is the snapshot format: words are added at the end or in the gaps, never moved, without changing
 * {@link CORE_LAYOUT_VERSION}.
 */

/** Changes whenever a word is moved. */
export const CORE_LAYOUT_VERSION = 1

/** General registers, 16 × 64 bits, in the order of their encoding: RAX RCX RDX RBX RSP RBP RSI RDI R8 … R15. */
export const GPR = 0
export const RAX = 0
export const RCX = 2
export const RDX = 4
export const RBX = 6
export const RSP = 8
export const RBP = 10
export const RSI = 12
export const RDI = 14
export const R8 = 16
export const R11 = 22

/** The next instruction. */
export const RIP = 32
/** RFLAGS has 32 bits; its upper half is always 0. */
export const RFLAGS = 34
/** Current privilege level, 0–3. */
export const CPL = 36
/** One word of everything that makes the next instruction boundary an unusual one: see `status.ts`. 0 is the fast path. */
export const STATUS = 37
/** Debug conditions met by the last instruction, in DR6's layout, all positive (bit 16 set means RTM). */
export const PENDING_DEBUG = 38

/** Pending external interrupts, one bit a vector, 256 bits. */
export const PENDING_INTERRUPTS = 40

/** Segment caches: selector, access word, limit in bytes, (unused), base low, base high. */
export const SEGMENTS = 48
export const SEGMENT_WORDS = 6
export const SEGMENT_SELECTOR = 0
export const SEGMENT_ACCESS = 1
export const SEGMENT_LIMIT = 2
export const SEGMENT_BASE = 4

/** Numbers of the segment registers; the first six are the encoding of MOV Sreg. */
export const ES = 0
export const CS = 1
export const SS = 2
export const DS = 3
export const FS = 4
export const GS = 5
export const LDTR = 6
export const TR = 7
export type SegmentNumber = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7

/** First word of the cache of segment register `n`. */
export const segmentSlot = (n: number): number => SEGMENTS + n * SEGMENT_WORDS

/** GDTR and IDTR: base low, base high, limit, (unused). */
export const GDTR = 96
export const IDTR = 100
export const TABLE_LIMIT = 2

/** Control registers and IA32_EFER, 64 bits each. */
export const CR0 = 104
export const CR2 = 106
export const CR3 = 108
export const CR4 = 110
export const CR8 = 112
export const EFER = 114
/** DR0–DR7, 64 bits each. DR4 and DR5 are not used. */
export const DR = 116
export const DR6 = DR + 12
export const DR7 = DR + 14
/** Current shadow-stack pointer. */
export const SSP = 132

/** MSRs that both delivery mechanisms use, and that core therefore owns. */
export const STAR = 134
export const FMASK = 136
export const KERNEL_GS_BASE = 138
export const S_CET = 140
export const U_CET = 142
export const PL0_SSP = 144
export const PL1_SSP = 146
export const PL2_SSP = 148
export const PL3_SSP = 150
export const XCR0 = 152
/** IA32_MCG_STATUS. */
export const MCG_STATUS = 154

/** Time at which the software of this CPU stops waiting, in nanoseconds of the machine's clock; 0 for none: see `schedule/clock.ts`. */
export const DEADLINE = 156

/** XMM0–XMM15, 128 bits each. */
export const XMM = 160

/** Words of core's own part; MSRs and regions of plugins follow. */
export const CORE_WORDS = 224

/** GS.base and FS.base, the MSRs IA32_GS_BASE and IA32_FS_BASE by another name. */
export const FS_BASE = SEGMENTS + FS * SEGMENT_WORDS + SEGMENT_BASE
export const GS_BASE = SEGMENTS + GS * SEGMENT_WORDS + SEGMENT_BASE

/** Words of the caches of CS and SS that hot paths read. */
export const CS_SELECTOR = SEGMENTS + CS * SEGMENT_WORDS + SEGMENT_SELECTOR
export const CS_ACCESS = SEGMENTS + CS * SEGMENT_WORDS + SEGMENT_ACCESS
export const SS_SELECTOR = SEGMENTS + SS * SEGMENT_WORDS + SEGMENT_SELECTOR
export const SS_ACCESS = SEGMENTS + SS * SEGMENT_WORDS + SEGMENT_ACCESS
