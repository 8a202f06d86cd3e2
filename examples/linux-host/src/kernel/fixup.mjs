/** @import { FredFrame } from '@trapframe/fred' */
/** @import { Call, Outcome } from './call.mjs' */
import { HARDWARE_EXCEPTION, VECTOR_GP, VECTOR_NP, VECTOR_PF, VECTOR_SS } from '@trapframe/core'
import { decodeFrame, encodeFrame, FRAME_BYTES } from '@trapframe/fred'
import { readPerCpu } from '../per-cpu.mjs'
import { GENERAL_REGISTERS, offsetOf, ptRegsAt, userRegsAddress } from '../pt-regs.mjs'
import { DONE } from './call.mjs'
import { storeQuad } from './quadword.mjs'

/**
 * The return to ring 3 loads what the user asked for, and faults where that cannot be: in ring 0, with a kernel that did
 * nothing wrong. Both repairs make it what it would have been had the user met it one instruction later.
 */

/** What ERETU raises because of its frame. A machine check may come at its address as well, and has nothing to do with it. */
const FAULTS_OF_ERETU = [VECTOR_NP, VECTOR_SS, VECTOR_GP, VECTOR_PF]

/** @param {Call} call @param {FredFrame} frame */
export const isFaultAtEretu = ({ regs, kernel }, { type, vector }) =>
  type === HARDWARE_EXCEPTION && FAULTS_OF_ERETU.includes(vector) && regs.get('rip') === kernel.addressOf('eretu_user')

/**
 * ERETU has faulted, and has changed nothing: RSP is at the frame of the event that it was to return from, GS is the
 * kernel's. That frame gets the fault's event in the place of its own, and ERETS goes to the ring 3 entry point, which
 * finds what it would have found had ring 3 raised the fault. Should the frame be an NMI's, it is ERETS that lets NMIs in
 * again.
 *
 * @param {Call} call
 * @param {FredFrame} fault
 * @returns {Outcome}
 */
export function fixUpEretu({ cpu, regs, kernel }, fault) {
  const address = regs.get('rsp')
  const user = decodeFrame(cpu.space.read(address, FRAME_BYTES))
  const { errorCode, vector, type, eventData } = fault
  const bytes = encodeFrame({
    ...user,
    errorCode,
    vector,
    type,
    eventData,
    softwareEvent: false,
    nmi: false,
    nested: false,
    length: 0,
  })
  const view = new DataView(bytes.buffer)
  for (let offset = 0; offset < FRAME_BYTES; offset += 8) {
    storeQuad(cpu, address + BigInt(offset), view.getBigUint64(offset, true))
  }
  if (user.nmi) regs.set('ss', regs.get('ss') | NMI_BIT)
  regs.set('rip', kernel.addressOf('entry_ring3'))
  return DONE
}

/** Bit 18 of the SS quadword: returning unblocks NMIs. */
const NMI_BIT = 1n << 18n

/**
 * IRET has faulted after SWAPGS, which the entry code has taken back already. The five quadwords that it was to load are
 * still at the RSP of the fault; with the registers of the fault, which are the user's already, they make the pt_regs of a
 * fault of ring 3, at the place where such registers are. Returns its address.
 *
 * @param {Call} call
 * @returns {Outcome}
 */
export function fixUpBadIret({ cpu, regs }) {
  const frame = regs.get('rsp')
  const to = ptRegsAt(cpu, userRegsAddress(readPerCpu(cpu, 'task_stack_top')))
  const taken = [...GENERAL_REGISTERS, /** @type {const} */ ('orig_ax')].map(
    (name) => /** @type {const} */ ([name, regs.get(name)]),
  )
  const iretFrame = ptRegsAt(cpu, frame - BigInt(offsetOf('rip')))
  const returned = /** @type {const} */ (['rip', 'cs', 'rflags', 'rsp', 'ss']).map(
    (name) => /** @type {const} */ ([name, iretFrame.get(name)]),
  )
  for (const [name, value] of [...taken, ...returned]) to.set(name, value)
  return to.address
}
