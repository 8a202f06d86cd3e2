import { VECTOR_NMI } from '@trapframe/core'
import { FLAT_USER_CS64, TRAP_INFO_BYTES } from '@trapframe/xen'
import type { PvContext } from '../context.js'
import { loadGuest } from '../guest-memory.js'
import { markInitialised } from '../state/initialised.js'
import {
  FAILSAFE_MASKS_EVENTS,
  SYSCALL_MASKS_EVENTS,
  SYSCALL32_MASKS_EVENTS,
  SYSENTER_MASKS_EVENTS,
} from '../state/pv-fields.js'
import { clearTrap, clearTraps, setTrapInfo, TI_MASKS_EVENTS } from '../state/trap-table.js'
import { EINVAL, ENOSYS, type Hypercall, reading } from './hypercall.js'

/**
 * set_trap_table(traps): entries until one whose address is 0; a null pointer empties the table. Each needs a canonical
 * address, and its selector gets RPL 3. What came before a bad one stays.
 */
export const SET_TRAP_TABLE: Hypercall = {
  number: 0,
  name: 'set_trap_table',
  run(context, [traps]) {
    const { cpu, checks } = context
    if (traps === 0n) {
      clearTraps(context)
      return 0
    }
    return reading(() => {
      for (let at = traps!; ; at += BigInt(TRAP_INFO_BYTES)) {
        const [low, address] = [loadGuest(context, at, 8), loadGuest(context, at + 8n, 8)]
        if (address === 0n) return 0
        if (!checks.canonical(cpu, address)) return EINVAL
        const cs = Number(((low >> 16n) & 0xffffn) | checks.rpl)
        markInitialised(context)
        setTrapInfo(context, Number(low & 0xffn), { flags: Number((low >> 8n) & 0xffn), cs, address })
      }
    })
  },
}

/** stack_switch(ss, sp): the stack that the guest's kernel is entered on. Whether it can be one shows when it is used. */
export const STACK_SWITCH: Hypercall = {
  number: 3,
  name: 'stack_switch',
  run(context, [ss, sp]) {
    const { vcpu, checks } = context
    markInitialised(context)
    vcpu.set('kernel_ss', (ss! & 0xffffn) | checks.rpl)
    vcpu.set('kernel_sp', sp!)
    return 0
  },
}

/** Numbers of the public ABI, the same for guests of both sizes. */
export const CALLBACKOP_REGISTER = 0n
const CALLBACKOP_UNREGISTER = 1n
export const CALLBACKF_MASK_EVENTS = 1n

export const CALLBACKTYPE = { event: 0, failsafe: 1, syscall: 2, nmi: 4, sysenter: 5, syscall32: 7 } as const

/** callback_op(cmd, arg): registers or takes back a place at which the guest's kernel is entered. */
export const CALLBACK_OP: Hypercall = {
  number: 30,
  name: 'callback_op',
  run: (context, [cmd, arg]) =>
    reading(() => {
      if (cmd === CALLBACKOP_REGISTER) {
        const head = loadGuest(context, arg!, 4)
        const address = loadGuest(context, arg! + 8n, 8)
        return register(context, Number(head & 0xffffn), (head >> 16n) & CALLBACKF_MASK_EVENTS, address)
      }
      if (cmd === CALLBACKOP_UNREGISTER) return unregister(context, Number(loadGuest(context, arg!, 2)))
      return ENOSYS
    }),
}

function register(context: PvContext, type: number, masks: bigint, address: bigint): number {
  const { cpu, vcpu, pv, checks } = context
  if (!checks.canonical(cpu, address)) return EINVAL
  markInitialised(context)
  switch (type) {
    case CALLBACKTYPE.event:
      vcpu.set('event_callback_eip', address)
      return 0
    case CALLBACKTYPE.failsafe:
      vcpu.set('failsafe_callback_eip', address)
      setMasks(context, FAILSAFE_MASKS_EVENTS, masks)
      return 0
    case CALLBACKTYPE.syscall:
      vcpu.set('syscall_callback_eip', address)
      setMasks(context, SYSCALL_MASKS_EVENTS, masks)
      return 0
    case CALLBACKTYPE.syscall32:
      pv.set('syscall32_callback_eip', address)
      setMasks(context, SYSCALL32_MASKS_EVENTS, masks)
      return 0
    case CALLBACKTYPE.sysenter:
      pv.set('sysenter_callback_eip', address)
      setMasks(context, SYSENTER_MASKS_EVENTS, masks)
      return 0
    case CALLBACKTYPE.nmi:
      setTrapInfo(context, VECTOR_NMI, { flags: TI_MASKS_EVENTS, cs: FLAT_USER_CS64, address })
      return 0
    default:
      return ENOSYS
  }
}

/** Only the NMI's can be taken back: the others have to be replaced. */
function unregister(context: PvContext, type: number): number {
  if (type !== CALLBACKTYPE.nmi) return EINVAL
  clearTrap(context, VECTOR_NMI)
  return 0
}

/** Whether a callback runs with events masked: sets or clears its bit of `callback_flags`. */
export function setMasks({ pv }: PvContext, flag: number, masks: bigint): void {
  const others = pv.get('callback_flags') & ~BigInt(flag)
  pv.set('callback_flags', masks === 0n ? others : others | BigInt(flag))
}
