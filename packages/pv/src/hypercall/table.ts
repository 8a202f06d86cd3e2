import { EMULATION_HYPERCALLS } from '../emulate/hypercalls.js'
import { SEGMENT_HYPERCALLS } from '../segment/hypercalls.js'
import { CALLBACK_OP, SET_TRAP_TABLE, STACK_SWITCH } from './callbacks.js'
import { dispatcher } from './dispatch.js'
import { EVENT_CHANNEL_OP, VCPU_OP } from './events.js'
import type { Hypercall } from './hypercall.js'
import { IRET } from './iret.js'
import { MCA } from './machine-check.js'
import { XEN_VERSION } from './version.js'

/** The hypercalls of the public ABI that PV guests have here. Any other number is not known: ENOSYS. */
export const HYPERCALLS: readonly Hypercall[] = [
  SET_TRAP_TABLE,
  STACK_SWITCH,
  CALLBACK_OP,
  XEN_VERSION,
  IRET,
  VCPU_OP,
  EVENT_CHANNEL_OP,
  MCA,
  ...SEGMENT_HYPERCALLS,
  ...EMULATION_HYPERCALLS,
]

/** A hypercall of a 64-bit guest's kernel, by SYSCALL. */
export const callHypervisor = dispatcher({
  prefix: 'do',
  hypercalls: HYPERCALLS,
  registers: ['rdi', 'rsi', 'rdx', 'r10', 'r8'],
  bits: 64,
})
