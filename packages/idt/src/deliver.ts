import {
  ACCESS_DB,
  accessOf,
  CPL,
  type Cpu,
  type CpuEvent,
  CS_SELECTOR,
  carried,
  commitCode,
  demandEndbranch,
  dplOf,
  eventName,
  gp,
  IF,
  IMPLICIT,
  indexOf,
  isCanonical,
  isCode,
  isConforming,
  isLong,
  isNull,
  isPresent,
  load64,
  loadNull,
  loadTaskStack,
  markAccessed,
  NT,
  np,
  OTHER_EVENT,
  PAGE_SIZE,
  PL3_SSP,
  READ,
  RF,
  RFLAGS,
  RIP,
  RSP,
  readDescriptor,
  SS,
  SS_SELECTOR,
  SSP,
  savedRflags,
  ss,
  store64,
  TF,
  tssIstOffset,
  tssRspOffset,
  UnsupportedError,
  USER,
  VM,
  WRITE,
  writablePage,
} from '@trapframe/core'
import { FRAME_BYTES } from './frame.js'
import { gateAddress, gateIst, isTrapGate, loadGate } from './gate.js'
import { continueShadowStack, enterShadowStack, newShadowStack } from './shadow-stack.js'

const STACK_NAMES = ['RSP0', 'RSP1', 'RSP2'] as const
const IST_NAMES = ['', 'IST1', 'IST2', 'IST3', 'IST4', 'IST5', 'IST6', 'IST7'] as const

/**
 * IDT event delivery in long mode (SDM 3A 6.14; SDM 2A INT n): gate, code segment, stack, frame, shadow stack, in the
 * manual's order; registers change only after the last check.
 *
 * @param tableSlot first word of IA32_INTERRUPT_SSP_TABLE_ADDR
 */
export function idtDelivery(tableSlot: number): (cpu: Cpu, event: CpuEvent) => void {
  return (cpu, event) => {
    const { words, ext } = cpu
    const oldCpl = words[CPL]!
    if (event.type === OTHER_EVENT) throw notAnEvent(event)

    // 1. The gate.
    const gateLo = gateAddress(cpu, event.vector)
    const gateHi = cpu.hi
    const low = loadGate(cpu, event, gateLo, gateHi)
    const attributes = cpu.hi
    const upper = (gateLo + 8) | 0
    const ripHi = load64(cpu, upper, carried(gateLo, gateHi, upper, 8), READ | IMPLICIT)
    const ripLo = (low & 0xffff) | (attributes & 0xffff0000)

    // 2. The code segment that it names.
    const selector = low >>> 16
    if (isNull(selector)) throw gp(ext)
    const code = readDescriptor(cpu, selector)
    const access = accessOf(code)
    const dpl = dplOf(access)
    if (!isCode(access) || dpl > oldCpl || !isLong(access) || (access & ACCESS_DB) !== 0) {
      throw gp(indexOf(selector) | ext)
    }
    if (!isPresent(access)) throw np(indexOf(selector) | ext)
    const inward = dpl < oldCpl && !isConforming(access)
    const cpl = inward ? dpl : oldCpl

    // 3. The stack, and the shadow stack.
    const ist = gateIst(attributes)
    const switches = inward || ist !== 0
    let topLo = words[RSP]!
    let topHi = words[RSP + 1]!
    if (switches) {
      topLo = loadTaskStack(cpu, ist === 0 ? tssRspOffset(dpl) : tssIstOffset(ist))
      topHi = cpu.hi
    }
    const user = cpl === 3 ? USER : 0
    const shadow = cpl === 3 ? cpu.userShadowStack : cpu.supervisorShadowStack
    let sspLo = 0
    let sspHi = 0
    if (shadow && switches) {
      sspLo = newShadowStack(cpu, tableSlot, dpl, ist)
      sspHi = cpu.hi
    }
    topLo &= ~15
    const bytes = event.hasErrorCode ? FRAME_BYTES + 8 : FRAME_BYTES
    const rspLo = (topLo - bytes) | 0
    const rspHi = carried(topLo, topHi, rspLo, -bytes)
    if (!isCanonical(cpu, rspHi) || !isCanonical(cpu, carried(topLo, topHi, (topLo - 8) | 0, -8))) throw ss(ext)

    // 4. The frame, and then the handler's address: what an abandoned delivery leaves in memory is not promised, and
    // recorded as staying there.
    pushFrame(cpu, event, rspLo, rspHi, frameAccess(cpl, oldCpl))
    if (!isCanonical(cpu, ripHi)) throw gp(ext)
    markAccessed(cpu, code)
    if (shadow) {
      sspLo = switches ? enterShadowStack(cpu, sspLo, sspHi, inward, user) : continueShadowStack(cpu, user)
      sspHi = cpu.hi
    }

    // Nothing faults from here on.
    if (switches) cpu.observer?.stackSwitch?.(cpu, topLo, topHi, ist === 0 ? STACK_NAMES[dpl]! : IST_NAMES[ist]!)
    if (inward) {
      if (oldCpl === 3 && cpu.userShadowStack) {
        words[PL3_SSP] = words[SSP]!
        words[PL3_SSP + 1] = words[SSP + 1]!
      }
      loadNull(cpu, SS, cpl)
    }
    commitCode(cpu, selector, code, cpl)
    words[RSP] = rspLo
    words[RSP + 1] = rspHi
    words[RIP] = ripLo
    words[RIP + 1] = ripHi
    words[RFLAGS] = words[RFLAGS]! & ~(isTrapGate(attributes) ? TF | NT | RF | VM : TF | NT | RF | VM | IF)
    if (shadow) {
      words[SSP] = sspLo
      words[SSP + 1] = sspHi
    }
    demandEndbranch(cpu)
  }
}

/** SYSCALL and SYSENTER are instructions here, with their own way in. */
function notAnEvent(event: CpuEvent): UnsupportedError {
  return new UnsupportedError('event', `${eventName(event)} is no event under the IDT`, {
    hint: 'execute the instruction instead of raising it',
  })
}

/**
 * How the frame is pushed: with the privilege of the handler. On the way in from ring 3 the access is one that the CPU
 * makes on its own behalf, so that the interrupted code's AC does not lift SMAP; from ring 0 it is an ordinary one, made at
 * CPL < 3 (SDM 3A 4.6.1).
 */
function frameAccess(cpl: number, oldCpl: number): number {
  if (cpl === 3) return WRITE | USER
  return oldCpl === 3 ? WRITE | IMPLICIT : WRITE
}

/**
 * SS, RSP, RFLAGS, CS, RIP and the error code if there is one, from the top down, so that #PF reports the highest. A frame
 * within one page, which nobody watches, is written after one check. @throws #PF
 */
function pushFrame(cpu: Cpu, event: CpuEvent, lo: number, hi: number, access: number): void {
  const { words } = cpu
  const at = event.hasErrorCode ? (lo + 8) | 0 : lo
  const rflags = savedRflags(cpu, event)
  const offset = lo & 0xfff
  const rip = at & 0xfff
  if (rip >= offset && rip <= PAGE_SIZE - FRAME_BYTES && cpu.watching === 0) {
    const view = writablePage(cpu, (at + 32) | 0, hi, access, offset, rip - offset + 40)
    view.setInt32(rip + 32, words[SS_SELECTOR]!, true)
    view.setInt32(rip + 36, 0, true)
    view.setInt32(rip + 24, words[RSP]!, true)
    view.setInt32(rip + 28, words[RSP + 1]!, true)
    view.setInt32(rip + 16, rflags, true)
    view.setInt32(rip + 20, 0, true)
    view.setInt32(rip + 8, words[CS_SELECTOR]!, true)
    view.setInt32(rip + 12, 0, true)
    view.setInt32(rip, words[RIP]!, true)
    view.setInt32(rip + 4, words[RIP + 1]!, true)
    if (!event.hasErrorCode) return
    view.setInt32(offset, event.errorCode, true)
    view.setInt32(offset + 4, 0, true)
    return
  }
  store64(cpu, (at + 32) | 0, carried(lo, hi, (at + 32) | 0, 40), words[SS_SELECTOR]!, 0, access)
  store64(cpu, (at + 24) | 0, carried(lo, hi, (at + 24) | 0, 32), words[RSP]!, words[RSP + 1]!, access)
  store64(cpu, (at + 16) | 0, carried(lo, hi, (at + 16) | 0, 24), rflags, 0, access)
  store64(cpu, (at + 8) | 0, carried(lo, hi, (at + 8) | 0, 16), words[CS_SELECTOR]!, 0, access)
  store64(cpu, at, carried(lo, hi, at, 8), words[RIP]!, words[RIP + 1]!, access)
  if (event.hasErrorCode) store64(cpu, lo, hi, event.errorCode, 0, access)
}
