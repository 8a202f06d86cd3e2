import {
  BLOCKED_BY_STI,
  CPL,
  type Cpu,
  type CpuEvent,
  CS_SELECTOR,
  carried,
  FMASK,
  GS_BASE,
  gp,
  IMPLICIT,
  isCanonical,
  isInstructionEvent,
  KERNEL_GS_BASE,
  loadFixedCode,
  loadFixedStack,
  NMI,
  OTHER_EVENT,
  PL3_SSP,
  RFLAGS,
  RFLAGS_FIXED,
  RIP,
  RSP,
  resetEndbranchTracker,
  SOFTWARE_INTERRUPT,
  SS_SELECTOR,
  SSP,
  STAR,
  STATUS,
  savedRflags,
  ss,
  WRITE,
  waitsForEndbranch,
  writablePage,
} from '@trapframe/core'
import {
  CS_CSL_SHIFT,
  CS_WAIT_FOR_ENDBRANCH,
  FRAME_BYTES,
  FRAME_CS,
  FRAME_EVENT_DATA,
  FRAME_RESERVED,
  FRAME_RFLAGS,
  FRAME_RIP,
  FRAME_RSP,
  FRAME_SS,
  SS_64BIT_MODE,
  SS_LENGTH_SHIFT,
  SS_NESTED,
  SS_NMI,
  SS_SOFTWARE_EVENT,
  SS_STI_BLOCKING,
  SS_TYPE_SHIFT,
} from '../frame/layout.js'
import { CONFIG_CSL, CONFIG_RED_ZONE, CONFIG_SSP_GAP, type FredSlots } from '../msrs.js'
import { eventData } from './event-data.js'
import { pushShadowFrame } from './shadow-stack.js'
import { eventStackLevel } from './stack-level.js'

/** What may differ between revisions and CPUs. */
export interface DeliveryOptions {
  /** RFLAGS at the handler: 2, or RFLAGS & ~IA32_FMASK as an early revision had it (A8). */
  readonly rflags: 'final' | 'fmask'
  /** The event data of an NMI is the bitmap of its sources. */
  readonly nmiSources: boolean
}

/** Ring 0 enters this much after ring 3 (A4). */
const RING0_ENTRY = 256
const PAGE_OFFSET = 0xfff
const STACK_NAMES = ['SL0', 'SL1', 'SL2', 'SL3'] as const

/**
 * FRED event delivery (SDM 3A 8.3): chooses the stack level, pushes the 64-byte frame and, with supervisor shadow stacks,
 * its counterpart, and only then changes registers. It reads no table (A15).
 *
 * Faults of the pushes are thrown with everything but memory as it was: #SS for a stack that is not canonical, #PF as a
 * supervisor write, #GP for an IA32_PL0_SSP with bit 2 set.
 */
export function fredDelivery(slots: FredSlots, options: DeliveryOptions): (cpu: Cpu, event: CpuEvent) => void {
  const { config } = slots
  const keepsFlags = options.rflags === 'fmask'
  const { nmiSources } = options

  return (cpu, event) => {
    const { words } = cpu
    const fromRing3 = words[CPL] === 3
    const configLo = words[config]!
    const oldLevel = fromRing3 ? 0 : configLo & CONFIG_CSL
    const level = Math.max(oldLevel, eventStackLevel(cpu, slots, event, fromRing3))
    const switches = fromRing3 || level > oldLevel

    let topLo: number
    let topHi: number
    if (switches) {
      topLo = words[slots.rsp[level]!]! & -FRAME_BYTES
      topHi = words[slots.rsp[level]! + 1]!
    } else {
      const below = (words[RSP]! - (configLo & CONFIG_RED_ZONE)) | 0
      topHi = carried(words[RSP]!, words[RSP + 1]!, below, -1)
      topLo = below & -FRAME_BYTES
    }

    let sspLo = 0
    let sspHi = 0
    if (cpu.supervisorShadowStack) {
      if (switches) {
        sspLo = words[slots.ssp[level]!]!
        sspHi = words[slots.ssp[level]! + 1]!
        if ((sspLo & 4) !== 0) throw gp(cpu.ext)
      } else {
        sspLo = (words[SSP]! - (configLo & CONFIG_SSP_GAP)) | 0
        sspHi = carried(words[SSP]!, words[SSP + 1]!, sspLo, -1)
      }
    }

    const frameLo = (topLo - FRAME_BYTES) | 0
    const frameHi = carried(topLo, topHi, frameLo, -FRAME_BYTES)
    if (!isCanonical(cpu, frameHi)) throw ss(cpu.ext)
    const csImage =
      words[CS_SELECTOR]! |
      (oldLevel << CS_CSL_SHIFT) |
      (!fromRing3 && waitsForEndbranch(cpu) ? CS_WAIT_FOR_ENDBRANCH : 0)
    const access = fromRing3 ? WRITE | IMPLICIT : WRITE
    pushFrame(cpu, event, frameLo, frameHi, access, csImage, eventData(cpu, event, nmiSources), cpu.hi)
    if (cpu.supervisorShadowStack && !fromRing3) {
      sspLo = pushShadowFrame(cpu, sspLo, sspHi, csImage)
      sspHi = cpu.hi
    }

    // Nothing faults from here on.
    if (switches) cpu.observer?.stackSwitch?.(cpu, topLo, topHi, STACK_NAMES[level]!)
    if (fromRing3) enterRing0(cpu)
    if (cpu.supervisorShadowStack) {
      words[SSP] = sspLo
      words[SSP + 1] = sspHi
    }
    resetEndbranchTracker(cpu)
    words[RIP] = (configLo & ~PAGE_OFFSET) | (fromRing3 ? 0 : RING0_ENTRY)
    words[RIP + 1] = words[config + 1]!
    words[RSP] = frameLo
    words[RSP + 1] = frameHi
    words[RFLAGS] = keepsFlags ? (words[RFLAGS]! & ~words[FMASK]!) | RFLAGS_FIXED : RFLAGS_FIXED
    words[config] = (configLo & ~CONFIG_CSL) | level
  }
}

/** Pushes the frame, from its last quadword down to its first, so that #PF reports the last. @throws #PF */
function pushFrame(
  cpu: Cpu,
  event: CpuEvent,
  lo: number,
  hi: number,
  access: number,
  csImage: number,
  dataLo: number,
  dataHi: number,
): void {
  const { words } = cpu
  const { type } = event
  const ssLo =
    words[SS_SELECTOR]! |
    ((words[STATUS]! & BLOCKED_BY_STI) !== 0 ? SS_STI_BLOCKING : 0) |
    (type === SOFTWARE_INTERRUPT || type === OTHER_EVENT ? SS_SOFTWARE_EVENT : 0) |
    (type === NMI ? SS_NMI : 0)
  const ssHi =
    event.vector |
    (type << SS_TYPE_SHIFT) |
    (cpu.codeSize === 64 ? SS_64BIT_MODE : 0) |
    (event.nested ? SS_NESTED : 0) |
    (isInstructionEvent(type) ? event.length << SS_LENGTH_SHIFT : 0)
  // The frame is aligned to its size: one page holds it, and one check covers it.
  const at = lo & PAGE_OFFSET
  const page = writablePage(cpu, lo + FRAME_RESERVED, hi, access, at, FRAME_RESERVED + 8)
  page.setInt32(at, event.errorCode, true)
  page.setInt32(at + 4, 0, true)
  page.setInt32(at + FRAME_RIP, words[RIP]!, true)
  page.setInt32(at + FRAME_RIP + 4, words[RIP + 1]!, true)
  page.setInt32(at + FRAME_CS, csImage, true)
  page.setInt32(at + FRAME_CS + 4, 0, true)
  page.setInt32(at + FRAME_RFLAGS, savedRflags(cpu, event), true)
  page.setInt32(at + FRAME_RFLAGS + 4, 0, true)
  page.setInt32(at + FRAME_RSP, words[RSP]!, true)
  page.setInt32(at + FRAME_RSP + 4, words[RSP + 1]!, true)
  page.setInt32(at + FRAME_SS, ssLo, true)
  page.setInt32(at + FRAME_SS + 4, ssHi, true)
  page.setInt32(at + FRAME_EVENT_DATA, dataLo, true)
  page.setInt32(at + FRAME_EVENT_DATA + 4, dataHi, true)
  page.setInt32(at + FRAME_RESERVED, 0, true)
  page.setInt32(at + FRAME_RESERVED + 4, 0, true)
  if (cpu.watching !== 0) {
    for (let offset = FRAME_RESERVED; offset >= 0; offset -= 8) cpu.noteStore(lo + offset, hi, 8)
  }
}

/** From ring 3 to ring 0: segments from IA32_STAR, GS base exchanged, the user SSP put away (A1, A8, A9). */
function enterRing0(cpu: Cpu): void {
  const { words } = cpu
  const star = words[STAR + 1]! & 0xffff
  loadFixedCode(cpu, star & 0xfffc, 0, 64)
  loadFixedStack(cpu, (star + 8) & 0xffff, 0)
  exchangeGsBase(cpu)
  if (cpu.userShadowStack) {
    words[PL3_SSP] = words[SSP]!
    words[PL3_SSP + 1] = words[SSP + 1]!
  }
  cpu.setCpl(0)
}

/** Exchanges GS.base and IA32_KERNEL_GS_BASE, as SWAPGS does under the IDT. */
export function exchangeGsBase(cpu: Cpu): void {
  const { words } = cpu
  const lo = words[GS_BASE]!
  const hi = words[GS_BASE + 1]!
  words[GS_BASE] = words[KERNEL_GS_BASE]!
  words[GS_BASE + 1] = words[KERNEL_GS_BASE + 1]!
  words[KERNEL_GS_BASE] = lo
  words[KERNEL_GS_BASE + 1] = hi
}
