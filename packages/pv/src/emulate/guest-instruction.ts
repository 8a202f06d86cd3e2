import {
  ACCESS_DB,
  accessOf,
  baseOf,
  type CodeSize,
  type Decoded,
  isCanonical,
  isCode,
  isLong,
  isNull,
  isPresent,
  limitOf,
} from '@trapframe/core'
import { halves } from '@trapframe/xen'
import type { PvContext } from '../context.js'
import { GuestFault, loadGuest } from '../guest-memory.js'
import { descriptorOf } from '../segment/guest-descriptor.js'

/** An instruction of the guest as Xen's emulator finds it. */
export interface GuestInstruction {
  readonly decoded: Decoded
  /** Bytes, prefixes included. */
  readonly length: number
  readonly bytes: Uint8Array
  /** A REX prefix is among its prefixes. */
  readonly rex: boolean
  /** The byte behind the prefixes; with an 0Fh before it, 0F00h is added. */
  readonly opcode: number
}

/** A page that cannot be read: where. */
export interface FetchFault {
  readonly faultAt: bigint
}

/** A code segment of the guest, as its descriptor has it now. */
interface CodeSegment {
  readonly codeSize: CodeSize
  readonly base: bigint
  /** Highest offset. */
  readonly limit: bigint
}

const LONGEST = 15
const NO_LIMIT = 0xffff_ffff_ffff_ffffn
const LOW_32 = 0xffff_ffffn

/** The instruction at the guest's CS:RIP; null where there is none that Xen could make out. */
export function guestInstruction(context: PvContext): GuestInstruction | null {
  const found = fetchInstruction(context)
  return found === null || 'faultAt' in found ? null : found
}

/**
 * The same, but says which page could not be read. Xen reads code as data, with its own privilege: the page has to be
 * readable, outside of Xen's range, and within the segment as the descriptor has it now, whatever the CPU has cached. What
 * lies beyond the segment or the canonical addresses is none: that #GP stays one.
 */
export function fetchInstruction(context: PvContext): GuestInstruction | FetchFault | null {
  const { regs, cpu, machine } = context
  const segment = codeSegment(context)
  if (segment === null || machine.decoder === null) return null
  const { codeSize, base, limit } = segment
  const rip = codeSize === 64 ? regs.get('rip') : regs.get('rip') & LOW_32
  const bytes = new Uint8Array(LONGEST)
  let length = 0
  let fault: FetchFault | null = null
  for (; length < LONGEST && rip + BigInt(length) <= limit; length++) {
    const at = base + rip + BigInt(length)
    if (codeSize === 64 && !isCanonical(cpu, halves(at)[1])) break
    try {
      bytes[length] = Number(loadGuest(context, codeSize === 64 ? at : at & LOW_32, 1))
    } catch (thrown) {
      if (!(thrown instanceof GuestFault)) throw thrown
      fault = { faultAt: thrown.address }
      break
    }
  }
  const decoded = machine.decoder.decode(bytes.subarray(0, length), codeSize, cpu.model.vendor)
  if (decoded === 'truncated') return fault
  if (decoded === null || decoded === 'too-long') return null
  return describe(decoded, bytes.slice(0, decoded.length))
}

/** The segment in the guest's CS; null where it is no code segment (any more). */
function codeSegment(context: PvContext): CodeSegment | null {
  const selector = Number(context.regs.get('cs') & 0xffffn)
  const descriptor = isNull(selector) ? null : descriptorOf(context, selector)
  if (descriptor === null) return null
  const access = accessOf(descriptor)
  if (!isCode(access) || !isPresent(access)) return null
  if (isLong(access)) return { codeSize: 64, base: 0n, limit: NO_LIMIT }
  return {
    codeSize: (access & ACCESS_DB) === 0 ? 16 : 32,
    base: BigInt(baseOf(descriptor) >>> 0),
    limit: BigInt(limitOf(descriptor) >>> 0),
  }
}

/** Segment overrides, operand and address size, LOCK, REPNE, REP. */
const LEGACY_PREFIXES: ReadonlySet<number> = new Set([
  ...[0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65],
  ...[0x66, 0x67, 0xf0, 0xf2, 0xf3],
])
const TWO_BYTES = 0x0f

function describe(decoded: Decoded, bytes: Uint8Array): GuestInstruction {
  let rex = false
  let at = 0
  for (; at < bytes.length; at++) {
    const isRex = decoded.codeSize === 64 && (bytes[at]! & 0xf0) === 0x40
    if (!isRex && !LEGACY_PREFIXES.has(bytes[at]!)) break
    rex ||= isRex
  }
  const first = bytes[at]!
  const opcode = first === TWO_BYTES ? (TWO_BYTES << 8) | bytes[at + 1]! : first
  return { decoded, length: decoded.length, bytes, rex, opcode }
}
