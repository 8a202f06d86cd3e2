/** @import { FredFrame } from '@trapframe/fred' */
/** @import { Call, Outcome } from './call.mjs' */
import { readPerCpu } from '../per-cpu.mjs'
import { hex, hex4, hex16 } from './print.mjs'

/**
 * Prints why, and stops this CPU for good.
 *
 * @param {Call} call
 * @param {string} why
 * @returns {Outcome}
 */
export function panic({ machine, cpu, regs, kernel }, why) {
  machine.log(why, cpu)
  machine.log(`RIP: ${hex4(regs.get('cs'))}:${hex16(regs.get('rip'))} RSP: ${hex16(regs.get('rsp'))}`, cpu)
  machine.log('Kernel panic - not syncing: Fatal exception', cpu)
  cpu.rip = kernel.addressOf('panic_stop')
  return 'gone'
}

/**
 * An event that no part of the dispatch takes: INT n of the kernel itself, a vector that is not there.
 *
 * @param {Call} call
 * @param {FredFrame} frame
 * @returns {Outcome}
 */
export function badFredEvent(call, { type, vector, errorCode, eventData, cs, rip, stackLevel }) {
  const { kernel, regs } = call
  const error = kernel.options.errorCode === 'overwritten' ? regs.get('orig_ax') : BigInt(errorCode)
  return panic(
    call,
    `${stackLevel > 0 ? 'PANIC' : 'BUG'}: invalid or fatal FRED event; event type ${type} vector ${vector} error 0x${hex(error)} aux 0x${hex(eventData)} ` +
      `at ${hex4(BigInt(cs))}:${hex16(rip)}`,
  )
}

/**
 * The user program has met its end: the CPU has nothing to run any more. Its stack is empty from here on.
 *
 * @param {Call} call
 * @returns {Outcome}
 */
export function endTask({ cpu, kernel }) {
  cpu.rsp = readPerCpu(cpu, 'task_stack_top')
  cpu.rip = kernel.addressOf('idle')
  return 'gone'
}
