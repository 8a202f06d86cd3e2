import {
  BLOCKED_BY_STI,
  CP_FAR_RET,
  type Cpu,
  CS_SELECTOR,
  carried,
  cp,
  expectEndbranch,
  gp,
  IF,
  isCanonical,
  loadShadow64,
  RFLAGS,
  RIP,
  RSP,
  type Semantics,
  SHADOW_FRAME_BYTES,
  SS_SELECTOR,
  SSP,
  STATUS,
} from '@trapframe/core'
import { SHADOW_CS, SHADOW_LIP, SHADOW_SSP } from '../delivery/shadow-stack.js'
import { CS_AUGMENTED, CS_CSL_SHIFT, CS_WAIT_FOR_ENDBRANCH, SS_STI_BLOCKING } from '../frame/layout.js'
import { CONFIG_CSL, type FredSlots } from '../msrs.js'
import {
  IMAGE_CS,
  IMAGE_RFLAGS,
  IMAGE_RIP,
  IMAGE_RSP,
  IMAGE_SS,
  popReturnImage,
  requireFredReturn,
  settleEvents,
} from './image.js'

/** Bits 31:0 of RFLAGS that must be as in {@link RFLAGS_REQUIRED}: the fixed and reserved ones, and VM; 63:32 must be 0. */
const RFLAGS_CHECKED = 0xffc2802a | 0
const RFLAGS_REQUIRED = 2
/** Bits 31:0 of the SS image that must equal SS: all but the event's. Bits 63:32 are not looked at. */
const SS_COMPARED = 0xfff8ffff | 0

/**
 * ERETS, the return from an event in ring 0 (SDM 2 ERETS; A16): CS and SS must be the current ones and stay.
 *
 * @throws #UD with CR4.FRED = 0 or CPL > 0; #GP(0) for a bad image; #CP(far-ret) where the shadow stack disagrees
 */
export function erets(slots: FredSlots): Semantics {
  const { config } = slots

  return (cpu) => {
    requireFredReturn(cpu)
    const { words } = cpu
    const image = popReturnImage(cpu)
    const csLo = image[IMAGE_CS]!
    const rflags = image[IMAGE_RFLAGS]!
    const ssLo = image[IMAGE_SS]!
    if (
      !isCanonical(cpu, image[IMAGE_RIP + 1]!) ||
      image[IMAGE_CS + 1] !== 0 ||
      (csLo & ~CS_AUGMENTED) !== words[CS_SELECTOR] ||
      image[IMAGE_RFLAGS + 1] !== 0 ||
      (rflags & RFLAGS_CHECKED) !== RFLAGS_REQUIRED ||
      (ssLo & SS_COMPARED) !== words[SS_SELECTOR]
    ) {
      throw gp(0)
    }
    const oldLevel = words[config]! & CONFIG_CSL
    const level = Math.min(oldLevel, (csLo >>> CS_CSL_SHIFT) & 3)
    if (cpu.supervisorShadowStack) {
      const sspLo = checkShadowFrame(cpu, image, level < oldLevel ? slots.ssp[oldLevel]! : 0)
      words[SSP] = sspLo
      words[SSP + 1] = cpu.hi
    }

    words[RIP] = image[IMAGE_RIP]!
    words[RIP + 1] = image[IMAGE_RIP + 1]!
    words[RFLAGS] = rflags
    words[RSP] = image[IMAGE_RSP]!
    words[RSP + 1] = image[IMAGE_RSP + 1]!
    words[config] = (words[config]! & ~CONFIG_CSL) | level
    if ((csLo & CS_WAIT_FOR_ENDBRANCH) !== 0) expectEndbranch(cpu)
    if ((ssLo & SS_STI_BLOCKING) !== 0 && (rflags & IF) !== 0 && (words[STATUS]! & BLOCKED_BY_STI) === 0) {
      cpu.shadow |= BLOCKED_BY_STI
    }
    settleEvents(cpu, ssLo)
    cpu.observer?.returned?.(cpu, 'erets')
  }
}

/**
 * Pops and checks what delivery left on the shadow stack: CS and LIP must be those of the regular stack, the level's
 * shadow stack must end here if the level is left (`bottom`: slot of its MSR, else 0). Returns the low half of the SSP to
 * go back to, the high half in `cpu.hi`.
 *
 * @throws #CP(far-ret), #GP(0) for an SSP that is not canonical, #PF
 */
function checkShadowFrame(cpu: Cpu, image: Int32Array, bottom: number): number {
  const { words } = cpu
  const lo = words[SSP]!
  const hi = words[SSP + 1]!
  if ((lo & 7) !== 0) throw cp(CP_FAR_RET)
  const sspLo = popShadow(cpu, lo, hi, SHADOW_SSP)
  const sspHi = cpu.hi
  const lipLo = popShadow(cpu, lo, hi, SHADOW_LIP)
  const lipHi = cpu.hi
  const csLo = popShadow(cpu, lo, hi, SHADOW_CS)
  if (
    csLo !== image[IMAGE_CS] ||
    cpu.hi !== image[IMAGE_CS + 1] ||
    lipLo !== image[IMAGE_RIP] ||
    lipHi !== image[IMAGE_RIP + 1] ||
    (sspLo & 3) !== 0
  ) {
    throw cp(CP_FAR_RET)
  }
  const sign = sspHi >> (cpu.model.linearAddressBits - 33)
  if (sign !== 0 && sign !== -1) throw gp(0)
  if (bottom !== 0) {
    const endLo = (lo + SHADOW_FRAME_BYTES) | 0
    const endHi = carried(lo, hi, endLo, SHADOW_FRAME_BYTES)
    if (words[bottom] !== endLo || words[bottom + 1] !== endHi) throw cp(CP_FAR_RET)
  }
  cpu.hi = sspHi
  return sspLo
}

/** A quadword of the supervisor shadow stack: low half, high half in `cpu.hi`. @throws #PF, #GP(0) */
function popShadow(cpu: Cpu, lo: number, hi: number, offset: number): number {
  const at = (lo + offset) | 0
  const atHi = carried(lo, hi, at, offset)
  if (!isCanonical(cpu, atHi)) throw gp(0)
  return loadShadow64(cpu, at, atHi, 0)
}
