/**
 * The places that stand for Xen's C functions. Each is code that can be called: a byte at which the function runs as one
 * step, and a RET, which takes the shadow stack along. They find cpu_user_regs in RDI.
 */

/** Handlers of exceptions by vector, as Xen's exception_table has them; what is not here is a reserved trap. */
const EXCEPTION_HANDLERS: Readonly<Record<number, string>> = {
  0: 'do_trap',
  1: 'do_debug',
  2: 'do_nmi',
  3: 'do_int3',
  4: 'do_trap',
  5: 'do_trap',
  6: 'do_invalid_op',
  7: 'do_device_not_available',
  10: 'do_trap',
  11: 'do_trap',
  12: 'do_trap',
  13: 'do_general_protection',
  14: 'do_page_fault',
  16: 'do_trap',
  17: 'do_trap',
  18: 'do_machine_check',
  19: 'do_trap',
  21: 'do_control_protection',
}

/** Name of the function for an exception vector, 0–31. */
export const exceptionHandler = (vector: number): string => EXCEPTION_HANDLERS[vector] ?? 'do_reserved_trap'

/** Functions that the ways out and the idle loop call under both deliveries. */
const COMMON_FUNCTIONS = [
  'do_softirq',
  'test_guest_events',
  'send_IPI_self',
  'idle_softirq',
  'asm_domain_crash_synchronous',
] as const

/** Functions that the IDT's entry code calls. */
export const IDT_FUNCTIONS = [
  ...new Set([...Object.values(EXCEPTION_HANDLERS), 'do_reserved_trap']),
  'do_double_fault',
  'do_IRQ',
  'do_int80',
  'do_int82',
  'do_syscall',
  'do_syscall32',
  'do_sysenter',
  'search_pre_exception_table',
  ...COMMON_FUNCTIONS,
] as const

/** Functions that FRED's entry code calls: each side's events, before and after interrupts are enabled. */
export const FRED_FUNCTIONS = [
  'pv_async_event',
  'pv_sync_event',
  'xen_async_event',
  'xen_sync_event',
  ...COMMON_FUNCTIONS,
] as const

/** The label at which a function runs. */
export const functionLabel = (name: string): string => `${name}.c`

/** Source of the places for functions. */
export const functionSource = (names: readonly string[]): string =>
  names.map((name) => `${name}:\n    endbr64\n.c: nop\n    ret`).join('\n')
