/** @import { Program } from '@trapframe/isa' */
import { assemble } from '@trapframe/isa'
import { TEXT } from '../memory.mjs'
import { FRED_SOURCE } from './fred-source.mjs'
import { idtSource } from './idt-source.mjs'

/** The places that stand for C functions: a byte at which the function runs as one step, and a RET. */
export const FUNCTIONS = /** @type {const} */ ([
  'fred_from_user',
  'fred_from_kernel',
  'idt_dispatch',
  'int80_system_call',
  'system_call',
  'fixup_bad_iret',
])
/** @typedef {typeof FUNCTIONS[number]} FunctionName */

/** Bytes at `schedule`, for a scenario that puts code of its own there. */
const SCHEDULE_BYTES = 128

/**
 * What both deliveries use. `schedule` is called where another task may run before the event returns; nothing else runs,
 * unless a scenario has it so. The two loops are where a CPU ends: without a task, or after a panic.
 */
const SHARED = `
schedule:
    ret
    times ${SCHEDULE_BYTES - 1} nop
after_schedule:
${FUNCTIONS.map((name) => `${name}:\n    nop\n    ret`).join('\n')}
idle:
    sti
    hlt
idle_wakes:
    jmp idle
panic_stop:
    cli
    hlt
panicked:
    jmp panic_stop`

/** Programs by what they depend on; they do not change. @type {Map<boolean, Program>} */
const assembled = new Map()

/**
 * The kernel's code at its place. A kernel has the entry code of both deliveries, whichever it uses.
 *
 * @param {boolean} smap
 * @returns {Program}
 */
export function kernelText(smap) {
  let program = assembled.get(smap)
  if (program === undefined) {
    program = assemble([FRED_SOURCE, SHARED, idtSource(smap)].join('\n'), { origin: TEXT.linear })
    assembled.set(smap, program)
  }
  return program
}
