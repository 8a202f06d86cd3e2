import type { Cpu } from '../cpu/cpu.js'
import { RFLAGS } from '../state/registers.js'
import { AC } from '../state/rflags.js'
import { READ, WRITE } from './access.js'
import { ENTRY_FLAGS, ENTRY_INDEX_SHIFT } from './address-space.js'
import { deviceFrame, deviceIndex } from './device.js'
import { type Frame, PAGE_SIZE, PAGE_WORDS } from './physical.js'

/**
 * Loads and stores at linear addresses, little-endian, of any alignment. An address is two signed 32-bit halves; a
 * 64-bit result is its low half, with the high half left in `cpu.hi`. `access` is READ or WRITE with USER,
 * SHADOW_STACK or IMPLICIT or-ed in. Each throws #PF with the exact error code and address; an access that touches two
 * pages checks both before it changes either.
 *
 * Canonical and segment checks come before, in `segmented.ts`.
 */

/** `cpu.watching`: data breakpoints are armed. */
export const WATCH_BREAKPOINTS = 1
/** `cpu.watching`: an observer sees stores. */
export const WATCH_STORES = 2
/** `cpu.watching`: an observer sees loads. */
export const WATCH_LOADS = 4

const AC_TO_TABLE = 8

/** Whether the page of a lookup's entry allows an access. */
function allowed(cpu: Cpu, entry: number, access: number): boolean {
  const ac = (cpu.words[RFLAGS]! & AC) >>> AC_TO_TABLE
  return cpu.permissions[ac | (access << 5) | (entry & ENTRY_FLAGS)] !== 0
}

/** The frame of `hi:lo`, for reading. */
function readable(cpu: Cpu, lo: number, hi: number, access: number): Frame {
  const entry = cpu.space.lookup(lo, hi)
  if (!allowed(cpu, entry, access)) return deviceFrame(cpu, lo, hi, access, entry)
  return cpu.space.memory.frames[entry >> ENTRY_INDEX_SHIFT]!
}

/** The frame of `hi:lo`, for writing up to eight bytes there: three words at most. */
function writable(cpu: Cpu, lo: number, hi: number, access: number): Frame {
  const entry = cpu.space.lookup(lo, hi)
  if (!allowed(cpu, entry, access)) return deviceFrame(cpu, lo, hi, access, entry)
  const word = (lo & 0xfff) >>> 2
  return cpu.space.memory.writable(entry >> ENTRY_INDEX_SHIFT, word, word < PAGE_WORDS - 3 ? word + 3 : PAGE_WORDS)
}

/** Throws the #PF that an access to the page of `hi:lo` would raise. */
function demand(cpu: Cpu, lo: number, hi: number, access: number): void {
  const entry = cpu.space.lookup(lo, hi)
  if (!allowed(cpu, entry, access)) deviceIndex(cpu, lo, hi, access, entry)
}

/**
 * The page that `hi:lo` lies in, after one check for all that is read from it: for runs of quadwords that the CPU reads
 * together and that do not leave the page. The caller tells `cpu.noteLoad` of them while `cpu.watching` is set. @throws #PF
 */
export function readablePage(cpu: Cpu, lo: number, hi: number, access: number): DataView {
  return readable(cpu, lo, hi, access).view
}

/**
 * The same for stores, with `cpu.noteStore`. The view is good for writing until anything else runs: anywhere in the page,
 * or, where they are given, `bytes` bytes from offset `first` on. @throws #PF
 */
export function writablePage(
  cpu: Cpu,
  lo: number,
  hi: number,
  access: number,
  first = 0,
  bytes: number = PAGE_SIZE,
): DataView {
  const entry = cpu.space.lookup(lo, hi)
  if (!allowed(cpu, entry, access)) return deviceFrame(cpu, lo, hi, access, entry).view
  return cpu.space.memory.writable(entry >> ENTRY_INDEX_SHIFT, first >>> 2, (first + bytes + 3) >>> 2).view
}

/** Throws the #PF that an access of `bytes` bytes would raise, and changes nothing. */
export function probe(cpu: Cpu, lo: number, hi: number, bytes: number, access: number): void {
  demand(cpu, lo, hi, access)
  const last = (lo + bytes - 1) | 0
  if ((lo ^ last) >>> 12 !== 0) demand(cpu, last & ~0xfff, carry(lo, last, hi), access)
}

/** High half of an address after its low half went up from `before` to `after`. */
function carry(before: number, after: number, hi: number): number {
  return after >>> 0 < before >>> 0 ? (hi + 1) | 0 : hi
}

/** 8 bits, unsigned. */
export function load8(cpu: Cpu, lo: number, hi: number, access: number = READ): number {
  const value = readable(cpu, lo, hi, access).bytes[lo & 0xfff]!
  if (cpu.watching !== 0) cpu.noteLoad(lo, hi, 1)
  return value
}

/** 16 bits, unsigned. */
export function load16(cpu: Cpu, lo: number, hi: number, access: number = READ): number {
  const offset = lo & 0xfff
  if (offset > 0xffe) return loadAcross(cpu, lo, hi, 2, access)
  const value = readable(cpu, lo, hi, access).view.getUint16(offset, true)
  if (cpu.watching !== 0) cpu.noteLoad(lo, hi, 2)
  return value
}

/** 32 bits, signed. */
export function load32(cpu: Cpu, lo: number, hi: number, access: number = READ): number {
  const offset = lo & 0xfff
  if (offset > 0xffc) return loadAcross(cpu, lo, hi, 4, access)
  const value = readable(cpu, lo, hi, access).view.getInt32(offset, true)
  if (cpu.watching !== 0) cpu.noteLoad(lo, hi, 4)
  return value
}

/** 64 bits: the low half; the high half goes to `cpu.hi`. */
export function load64(cpu: Cpu, lo: number, hi: number, access: number = READ): number {
  const offset = lo & 0xfff
  if (offset > 0xff8) return loadAcross(cpu, lo, hi, 8, access)
  const view = readable(cpu, lo, hi, access).view
  if (cpu.watching !== 0) cpu.noteLoad(lo, hi, 8)
  cpu.hi = view.getInt32(offset + 4, true)
  return view.getInt32(offset, true)
}

/** Stores 8 bits at linear address `hi:lo`. @throws #PF */
export function store8(cpu: Cpu, lo: number, hi: number, value: number, access: number = WRITE): void {
  writable(cpu, lo, hi, access).bytes[lo & 0xfff] = value
  if (cpu.watching !== 0) cpu.noteStore(lo, hi, 1)
}

/** Stores 16 bits at linear address `hi:lo`, across pages too. @throws #PF */
export function store16(cpu: Cpu, lo: number, hi: number, value: number, access: number = WRITE): void {
  const offset = lo & 0xfff
  if (offset > 0xffe) return storeAcross(cpu, lo, hi, 2, value, 0, access)
  writable(cpu, lo, hi, access).view.setInt16(offset, value, true)
  if (cpu.watching !== 0) cpu.noteStore(lo, hi, 2)
}

/** Stores 32 bits at linear address `hi:lo`, across pages too. @throws #PF */
export function store32(cpu: Cpu, lo: number, hi: number, value: number, access: number = WRITE): void {
  const offset = lo & 0xfff
  if (offset > 0xffc) return storeAcross(cpu, lo, hi, 4, value, 0, access)
  writable(cpu, lo, hi, access).view.setInt32(offset, value, true)
  if (cpu.watching !== 0) cpu.noteStore(lo, hi, 4)
}

/** 64 bits, in halves. */
export function store64(
  cpu: Cpu,
  lo: number,
  hi: number,
  valueLo: number,
  valueHi: number,
  access: number = WRITE,
): void {
  const offset = lo & 0xfff
  if (offset > 0xff8) return storeAcross(cpu, lo, hi, 8, valueLo, valueHi, access)
  const view = writable(cpu, lo, hi, access).view
  view.setInt32(offset, valueLo, true)
  view.setInt32(offset + 4, valueHi, true)
  if (cpu.watching !== 0) cpu.noteStore(lo, hi, 8)
}

function loadAcross(cpu: Cpu, lo: number, hi: number, bytes: number, access: number): number {
  probe(cpu, lo, hi, bytes, access)
  let low = 0
  let high = 0
  for (let i = bytes - 1; i >= 0; i--) {
    const at = (lo + i) | 0
    const byte = readable(cpu, at, carry(lo, at, hi), access).bytes[at & 0xfff]!
    if (i >= 4) high = (high << 8) | byte
    else low = (low << 8) | byte
  }
  if (cpu.watching !== 0) cpu.noteLoad(lo, hi, bytes)
  cpu.hi = high
  return low
}

function storeAcross(
  cpu: Cpu,
  lo: number,
  hi: number,
  bytes: number,
  valueLo: number,
  valueHi: number,
  access: number,
): void {
  probe(cpu, lo, hi, bytes, access)
  for (let i = 0; i < bytes; i++) {
    const at = (lo + i) | 0
    const byte = i < 4 ? valueLo >>> (8 * i) : valueHi >>> (8 * (i - 4))
    writable(cpu, at, carry(lo, at, hi), access).bytes[at & 0xfff] = byte
  }
  if (cpu.watching !== 0) cpu.noteStore(lo, hi, bytes)
}
