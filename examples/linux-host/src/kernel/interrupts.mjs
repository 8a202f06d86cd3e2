/** @import { Call, Outcome } from './call.mjs' */
import { count, writePerCpu } from '../per-cpu.mjs'
import { handledBy, MAY_SCHEDULE } from './call.mjs'

/** An external interrupt. There is no device to ask: it is counted. @param {Call} call @param {number} vector @returns {Outcome} */
export function handleInterrupt(call, vector) {
  handledBy(call, 'common_interrupt')
  count(call.cpu, 'interrupt_count')
  writePerCpu(call.cpu, 'last_interrupt', BigInt(vector))
  return MAY_SCHEDULE
}
