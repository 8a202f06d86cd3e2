import {
  EXTERNAL_INTERRUPT,
  HARDWARE_EXCEPTION,
  NMI,
  OTHER_EVENT,
  PRIVILEGED_SOFTWARE_EXCEPTION,
  SOFTWARE_EXCEPTION,
  SOFTWARE_INTERRUPT,
  VECTOR_BP,
  VECTOR_DF,
  VECTOR_MC,
  VECTOR_NMI,
  VECTOR_OF,
} from '@trapframe/core'
import { decodeFrame, FRAME_BYTES, type FredFrame, VECTOR_SYSCALL, VECTOR_SYSENTER } from '@trapframe/fred'
import { exceptionHandler } from '../entry/functions.js'
import { crashSynchronous } from '../exit/domain-crash.js'
import { handleEretuFault } from '../exit/eretu-fault.js'
import { SOFTIRQ_HANDLERS } from '../exit/softirq.js'
import { FLAT_USER_CS32, FLAT_USER_CS64, FLAT_USER_SS } from '../layout/selectors.js'
import { TRAP_SYSCALL, userRegsOffset } from '../layout/user-regs.js'
import type { Call, Outcome, XenFunction } from './context.js'
import { handleException } from './exceptions.js'
import { exceptionOf, testGuestEvents, toGuest } from './guest.js'
import { doubleFault, fatalTrap } from './panic.js'

/** Dispatch on type, then vector: what the frame says, not which gate was taken. */

/** Says in the trace which handler was chosen: no gate tells. */
const handled = (call: Call, name: string): void => call.cpu.observer?.dispatched?.(call.cpu, name)

const DONE: Outcome = { value: 0n }
const LEFT: Outcome = { value: 1n }

/** The frame that FRED pushed into the upper part of cpu_user_regs. */
function frameOf({ cpu, regs }: Call): FredFrame {
  return decodeFrame(cpu.space.read(regs.address + BigInt(userRegsOffset('error_code')), FRAME_BYTES))
}

/** What may not wait and what cannot be survived, with interrupts off; RAX = 1 leaves the rest to the other function. */
const asyncEvent: XenFunction = (call) => {
  const { nested, type, vector } = frameOf(call)
  call.regs.set('entry_vector', BigInt(vector))
  if (nested) return fatalTrap(call, vector)
  if (type === EXTERNAL_INTERRUPT) {
    handled(call, 'do_IRQ')
    return DONE
  }
  if (type === NMI) return done(exception(call, VECTOR_NMI, 0n))
  if (type === HARDWARE_EXCEPTION && vector === VECTOR_MC) return done(exception(call, vector, 0n))
  if (type === HARDWARE_EXCEPTION && vector === VECTOR_DF) {
    handled(call, 'do_double_fault')
    return doubleFault(call)
  }
  return LEFT
}

/** Hands an event to the function that the IDT's table has for the vector. */
function exception(call: Call, vector: number, address: bigint): Outcome {
  handled(call, exceptionHandler(vector))
  return handleException(call, vector, address)
}

/** Vectors of the events that are not synchronous: no instruction raises one, so that a frame that says so is wrong. */
const ASYNC_VECTORS: readonly number[] = [VECTOR_NMI, VECTOR_DF, VECTOR_MC]

/** What is left for the time when interrupts are on. */
function syncException(call: Call, vector: number, address: bigint): Outcome {
  return ASYNC_VECTORS.includes(vector) ? fatalTrap(call, vector) : exception(call, vector, address)
}

const done = (outcome: Outcome): Outcome => (outcome === 'return' ? DONE : outcome)

/** What the guest's own instructions caused. */
const pvSyncEvent: XenFunction = (call) => {
  const { type, vector, eventData, length, mode64 } = frameOf(call)
  switch (type) {
    case HARDWARE_EXCEPTION:
    case PRIVILEGED_SOFTWARE_EXCEPTION:
    case SOFTWARE_EXCEPTION:
      return syncException(call, vector, eventData)
    case SOFTWARE_INTERRUPT:
      return vector === VECTOR_BP || vector === VECTOR_OF
        ? toGuest(call, exceptionOf(vector, null, 0n))
        : toGuest(call, { kind: 'software-interrupt', vector, length })
    case OTHER_EVENT:
      if (vector === VECTOR_SYSCALL) return syscall(call, mode64, length)
      if (vector === VECTOR_SYSENTER) return sysenter(call)
  }
  return fatalTrap(call, vector)
}

/** What SYSCALL itself does under the IDT: RCX and R11 take RIP and RFLAGS, CS and SS are what it assumes they were. */
function syscall(call: Call, mode64: boolean, length: number): Outcome {
  const { regs, build } = call
  handled(call, mode64 ? 'do_syscall' : 'do_syscall32')
  regs.set('entry_vector', BigInt(build.shows.remembersSyscall ? TRAP_SYSCALL : 0))
  regs.set('ss', BigInt(FLAT_USER_SS))
  regs.set('cs', BigInt(mode64 ? FLAT_USER_CS64 : FLAT_USER_CS32))
  regs.set('rcx', regs.get('rip'))
  regs.set('r11', regs.get('rflags'))
  return toGuest(call, { kind: mode64 ? 'syscall' : 'syscall32', length })
}

/** SYSENTER under the IDT leaves nothing to return to. */
function sysenter(call: Call): Outcome {
  const { regs, build } = call
  handled(call, 'do_sysenter')
  regs.set('entry_vector', BigInt(TRAP_SYSCALL))
  regs.set('ss', BigInt(FLAT_USER_SS))
  regs.set('rsp', 0n)
  regs.set('cs', 3n)
  regs.set('rip', 0n)
  regs.set('rflags', build.shows.sysenterRflags(regs.get('rflags')))
  return toGuest(call, { kind: 'sysenter' })
}

/** What Xen's own instructions caused. */
const xenSyncEvent: XenFunction = (call) => {
  const frame = frameOf(call)
  if (handleEretuFault(call, frame)) return 'return'
  const { type, vector, eventData } = frame
  return type === HARDWARE_EXCEPTION || type === PRIVILEGED_SOFTWARE_EXCEPTION || type === SOFTWARE_EXCEPTION
    ? syncException(call, vector, eventData)
    : fatalTrap(call, vector)
}

/** What FRED's entry code calls, by name. */
export const FRED_HANDLERS: readonly (readonly [name: string, run: XenFunction])[] = [
  ['pv_async_event', asyncEvent],
  ['pv_sync_event', pvSyncEvent],
  ['xen_async_event', asyncEvent],
  ['xen_sync_event', xenSyncEvent],
  ['asm_domain_crash_synchronous', crashSynchronous],
  ['test_guest_events', testGuestEvents],
  ...SOFTIRQ_HANDLERS,
]
