import {
  accessOf,
  CP_FAR_RET,
  type Cpu,
  checkReturnStack,
  checkTarget,
  commitCode,
  commitStack,
  cp,
  type Descriptor,
  gp,
  indexOf,
  isCanonical,
  isLong,
  isPresent,
  loadFixedCode,
  loadFixedStack,
  markAccessed,
  np,
  PL3_SSP,
  RFLAGS,
  RIP,
  RSP,
  readReturnCode,
  type Semantics,
  SSP,
  STAR,
} from '@trapframe/core'
import { exchangeGsBase } from '../delivery/deliver.js'
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

/** Bits 31:0 of RFLAGS that must be as in {@link RFLAGS_REQUIRED}: those of ERETS, and IOPL; 63:32 must be 0. */
const RFLAGS_CHECKED = 0xffc2b02a | 0
const RFLAGS_REQUIRED = 2
/** The CS image is a selector of RPL 3 and nothing else. */
const CS_CHECKED = 0xffff0003 | 0
/** Of the SS image bits 18:16 are the event's, and 63:32 are not looked at. */
const SS_CHECKED = 0xfff80003 | 0
const RING3 = 3

/**
 * ERETU, the return to ring 3 (SDM 2 ERETU; A16): segments that IA32_STAR names are fixed ones, any others are loaded
 * from their table with IRET's checks. GS base is exchanged, a user shadow stack resumed.
 *
 * @throws #UD with CR4.FRED = 0 or CPL > 0; #GP(0) on a stack level above 0 or for a bad image; what IRET throws for the
 * selectors; #CP(far-ret) where the supervisor shadow stack does not end
 */
export function eretu(slots: FredSlots): Semantics {
  const { config } = slots
  const supervisorSsp = slots.ssp[0]

  return (cpu) => {
    requireFredReturn(cpu)
    const { words } = cpu
    if ((words[config]! & CONFIG_CSL) !== 0) throw gp(0)
    const image = popReturnImage(cpu)
    const csLo = image[IMAGE_CS]!
    const rflags = image[IMAGE_RFLAGS]!
    const ssLo = image[IMAGE_SS]!
    if (
      (csLo & CS_CHECKED) !== RING3 ||
      image[IMAGE_CS + 1] !== 0 ||
      image[IMAGE_RFLAGS + 1] !== 0 ||
      (rflags & RFLAGS_CHECKED) !== RFLAGS_REQUIRED ||
      (ssLo & SS_CHECKED) !== RING3
    ) {
      throw gp(0)
    }
    const ss = ssLo & 0xffff
    const star = words[STAR + 1]! >>> 16
    const fixed = ss === ((star + 8) & 0xffff) && (csLo === ((star + 16) & 0xffff) || csLo === star)

    let code: Descriptor | null = null
    let stack: Descriptor | null = null
    let to64 = csLo !== star
    if (fixed) {
      if (to64 && !isCanonical(cpu, image[IMAGE_RIP + 1]!)) throw gp(0)
    } else {
      code = readReturnCode(cpu, csLo)
      const access = accessOf(code)
      to64 = isLong(access)
      // Recorded with a PV guest: an address that cannot be one comes before a segment that is not there.
      if (to64 && !isCanonical(cpu, image[IMAGE_RIP + 1]!)) throw gp(0)
      if (!isPresent(access)) throw np(indexOf(csLo))
      stack = checkReturnStack(cpu, ss, RING3, to64)
      checkTarget(cpu, code, image[IMAGE_RIP]!, image[IMAGE_RIP + 1]!)
    }
    checkShadowStacks(cpu, to64, supervisorSsp)
    if (code !== null) markAccessed(cpu, code)
    if (stack !== null) markAccessed(cpu, stack)

    // Nothing faults from here on.
    words[RIP] = image[IMAGE_RIP]!
    words[RIP + 1] = to64 ? image[IMAGE_RIP + 1]! : 0
    words[RFLAGS] = rflags
    words[RSP] = image[IMAGE_RSP]!
    words[RSP + 1] = to64 ? image[IMAGE_RSP + 1]! : 0
    if (code !== null) {
      commitCode(cpu, csLo, code, RING3)
      commitStack(cpu, ss, stack)
    } else {
      loadFixedCode(cpu, csLo, RING3, to64 ? 64 : 32)
      loadFixedStack(cpu, ss, RING3)
      cpu.setCpl(RING3)
    }
    exchangeGsBase(cpu)
    if (cpu.userShadowStack) {
      words[SSP] = words[PL3_SSP]!
      words[SSP + 1] = words[PL3_SSP + 1]!
    }
    settleEvents(cpu, ssLo)
    cpu.observer?.returned?.(cpu, 'eretu')
  }
}

/**
 * A user shadow stack must be reachable from the mode that is returned to (#GP), and the supervisor's must be back where
 * IA32_PL0_SSP says that it starts (#CP): the check that replaces tokens (A6).
 */
function checkShadowStacks(cpu: Cpu, to64: boolean, supervisorSsp: number): void {
  const { words } = cpu
  if (cpu.userShadowStack && !to64 && words[PL3_SSP + 1] !== 0) throw gp(0)
  if (!cpu.supervisorShadowStack) return
  if (words[SSP] !== words[supervisorSsp] || words[SSP + 1] !== words[supervisorSsp + 1]) throw cp(CP_FAR_RET)
}
