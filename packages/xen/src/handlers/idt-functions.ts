import { IDT_FUNCTIONS } from '../entry/functions.js'
import { VECTOR_INT80, VECTOR_INT82 } from '../entry/vectors.js'
import { crashSynchronous } from '../exit/domain-crash.js'
import { searchPreExceptionTable } from '../exit/exception-table.js'
import { SOFTIRQ_HANDLERS } from '../exit/softirq.js'
import type { XenFunction } from './context.js'
import { handleException } from './exceptions.js'
import { dataInRegisters, testGuestEvents, toGuest } from './guest.js'
import { doubleFault } from './panic.js'

/** An exception's handler: the vector is in the registers, the address of #PF in CR2, the conditions of #DB in DR6. */
const exception: XenFunction = (call) => {
  const vector = Number(call.regs.get('entry_vector')) & 0xff
  return handleException(call, vector, dataInRegisters(call.cpu, vector))
}

const softwareInterrupt =
  (vector: number): XenFunction =>
  (call) =>
    toGuest(call, { kind: 'software-interrupt', vector, length: 2 })

/** Functions that are not the handler of an exception. */
const OTHERS: Readonly<Record<string, XenFunction>> = {
  do_double_fault: doubleFault,
  do_IRQ: () => 'return',
  do_int80: softwareInterrupt(VECTOR_INT80),
  do_int82: softwareInterrupt(VECTOR_INT82),
  do_syscall: (call) => toGuest(call, { kind: 'syscall', length: 2 }),
  do_syscall32: (call) => toGuest(call, { kind: 'syscall32', length: 2 }),
  do_sysenter: (call) => toGuest(call, { kind: 'sysenter' }),
  search_pre_exception_table: searchPreExceptionTable,
  asm_domain_crash_synchronous: crashSynchronous,
  test_guest_events: testGuestEvents,
  ...Object.fromEntries(SOFTIRQ_HANDLERS),
}

/** What the IDT's entry code calls, by name. */
export const IDT_HANDLERS: readonly (readonly [name: string, run: XenFunction])[] = IDT_FUNCTIONS.map((name) => [
  name,
  OTHERS[name] ?? exception,
])
