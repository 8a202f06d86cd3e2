/** @import { FredFrame } from '@trapframe/fred' */
/** @import { Call, Outcome } from './call.mjs' */
import {
  CR2,
  EXTERNAL_INTERRUPT,
  HARDWARE_EXCEPTION,
  NMI,
  OTHER_EVENT,
  PRIVILEGED_SOFTWARE_EXCEPTION,
  SOFTWARE_EXCEPTION,
  SOFTWARE_INTERRUPT,
  VECTOR_BP,
  VECTOR_DB,
  VECTOR_GP,
  VECTOR_NMI,
  VECTOR_OF,
  VECTOR_UD,
} from '@trapframe/core'
import { decodeFrame, FRAME_BYTES, VECTOR_SYSCALL } from '@trapframe/fred'
import { offsetOf } from '../pt-regs.mjs'
import { handleException, isHardwareException, VECTOR_VC } from './exceptions.mjs'
import { badFredEvent } from './fatal.mjs'
import { fixUpEretu, isFaultAtEretu } from './fixup.mjs'
import { handleInterrupt } from './interrupts.mjs'
import { int80SystemCall, systemCall, VECTOR_INT80 } from './system-calls.mjs'

/** Dispatch on the event's type first, then its vector: the frame says both. */

/** What is written where the error code was: no system call is under way. */
const NO_SYSTEM_CALL = 0xffff_ffff_ffff_ffffn

/** The frame as the CPU pushed it; its error code is in it only, from here on. @param {Call} call */
function takeFrame({ cpu, regs }) {
  const frame = decodeFrame(cpu.space.read(regs.address + BigInt(offsetOf('orig_ax')), FRAME_BYTES))
  regs.set('orig_ax', NO_SYSTEM_CALL)
  return frame
}

/** Everything that interrupted ring 3. @param {Call} call @returns {Outcome} */
export function fredFromUser(call) {
  const frame = takeFrame(call)
  if (frame.type === SOFTWARE_INTERRUPT) return userSoftwareInterrupt(call, frame)
  if (frame.type === OTHER_EVENT) return userCall(call, frame)
  return fromAnywhere(call, frame)
}

/** Everything that interrupted the kernel. It asks for no system call, and has no INT n of its own. @param {Call} call @returns {Outcome} */
export function fredFromKernel(call) {
  const frame = takeFrame(call)
  if (isFaultAtEretu(call, frame)) return fixUpEretu(call, frame)
  return fromAnywhere(call, frame)
}

/** @param {Call} call @param {FredFrame} frame @returns {Outcome} */
function fromAnywhere(call, frame) {
  const { type, vector } = frame
  switch (type) {
    case EXTERNAL_INTERRUPT:
      return handleInterrupt(call, vector)
    case NMI:
      if (vector === VECTOR_NMI) return exception(call, frame)
      break
    case HARDWARE_EXCEPTION:
      if (isHardwareException(vector) && (vector !== VECTOR_VC || call.kernel.options.vc)) return exception(call, frame)
      break
    case PRIVILEGED_SOFTWARE_EXCEPTION:
      if (vector === VECTOR_DB) return exception(call, frame)
      break
    case SOFTWARE_EXCEPTION:
      if (vector === VECTOR_BP || vector === VECTOR_OF) return exception(call, frame)
      break
  }
  return badFredEvent(call, frame)
}

/**
 * INT n of a program. The CPU has checked no DPL: what the IDT's gates refused, software refuses here.
 *
 * @param {Call} call
 * @param {FredFrame} frame
 * @returns {Outcome}
 */
function userSoftwareInterrupt(call, frame) {
  switch (frame.vector) {
    case VECTOR_BP:
    case VECTOR_OF:
      return exception(call, frame)
    case VECTOR_INT80:
      return int80SystemCall(call)
    default:
      return handleException(call, VECTOR_GP, 0n, () => 0n)
  }
}

/** SYSCALL of 64-bit code; the calls of 32-bit code, and SYSENTER, are not for this kernel. @param {Call} call @param {FredFrame} frame @returns {Outcome} */
function userCall(call, { vector, mode64 }) {
  return vector === VECTOR_SYSCALL && mode64 ? systemCall(call) : handleException(call, VECTOR_UD, 0n, () => 0n)
}

/** @param {Call} call @param {FredFrame} frame @returns {Outcome} */
function exception(call, { vector, errorCode, eventData }) {
  const { cpu, kernel } = call
  const address = () => (kernel.options.pageFaultAddress === 'cr2' ? cpu.get64(CR2) : eventData)
  return handleException(call, vector, BigInt(errorCode), address)
}
