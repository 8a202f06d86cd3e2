import type { CodeSize } from '@trapframe/core'

/** What the prefixes before an opcode say. iced folds them into its codes; these are the parts that it keeps quiet. */
export interface Prefixes {
  /** 66h was given. */
  operandSize: boolean
  /** 67h was given. */
  addressSize: boolean
  /** The REX prefix right before the opcode, 0 where there is none. */
  rex: number
  /** The last segment override byte, 0 where there is none. NOTRACK is 3Eh in that place. */
  segment: number
  /** Offset of the first byte that is no legacy or REX prefix. */
  end: number
}

/** Reads legacy prefixes and REX (SDM 2A 2.1.1, 2.2.1): a REX that another prefix follows does not count. */
export function readPrefixes(bytes: Uint8Array, codeSize: CodeSize, into: Prefixes): Prefixes {
  into.operandSize = false
  into.addressSize = false
  into.segment = 0
  let rex = 0
  let at = 0
  for (; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === 0x66) into.operandSize = true
    else if (byte === 0x67) into.addressSize = true
    else if (isSegmentOverride(byte, codeSize)) into.segment = byte
    else if (codeSize === 64 && (byte & 0xf0) === 0x40) {
      rex = byte
      continue
    } else if (!isIgnoredOrRepeat(byte)) break
    rex = 0
  }
  into.rex = rex
  into.end = at
  return into
}

/** A place to read prefixes into, to be used again and again. */
export function emptyPrefixes(): Prefixes {
  return { operandSize: false, addressSize: false, rex: 0, segment: 0, end: 0 }
}

/** In 64-bit mode ES, SS and CS overrides are null prefixes; CS stays, for it displaces a NOTRACK before it. */
function isSegmentOverride(byte: number, codeSize: CodeSize): boolean {
  if (byte === 0x64 || byte === 0x65 || byte === 0x3e || byte === 0x2e) return true
  return codeSize !== 64 && (byte === 0x26 || byte === 0x36)
}

function isIgnoredOrRepeat(byte: number): boolean {
  return byte === 0xf0 || byte === 0xf2 || byte === 0xf3 || byte === 0x26 || byte === 0x36
}
