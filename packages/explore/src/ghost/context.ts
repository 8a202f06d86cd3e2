import { CS_SELECTOR, FS_BASE, GPR, GS_BASE, KERNEL_GS_BASE, RSP, SS_SELECTOR } from '@trapframe/core'

const GPR_WORDS = 32
/** Slots of 64 bits, and words, that an asynchronous event must leave as they were, besides the general registers. */
const QUADS = [FS_BASE, GS_BASE, KERNEL_GS_BASE]
const WORDS = [CS_SELECTOR, SS_SELECTOR]

/**
 * 32-bit checksum of what an event interrupts, apart from RIP, RSP, CPL and RFLAGS, which are kept as they are: general
 * registers, the bases of FS and GS, KERNEL_GS_BASE, and the selectors of CS and SS.
 */
export function contextChecksum(words: Int32Array): number {
  let sum = 0x9e3779b9 | 0
  for (let i = 0; i < GPR_WORDS; i++) {
    if (i !== RSP && i !== RSP + 1) sum = mixed(sum, words[GPR + i]!)
  }
  for (let i = 0; i < QUADS.length; i++) {
    const slot = QUADS[i]!
    sum = mixed(mixed(sum, words[slot]!), words[slot + 1]!)
  }
  for (let i = 0; i < WORDS.length; i++) sum = mixed(sum, words[WORDS[i]!]!)
  return sum
}

function mixed(sum: number, word: number): number {
  const product = Math.imul(sum ^ word, 0x85ebca6b)
  return product ^ (product >>> 15)
}
