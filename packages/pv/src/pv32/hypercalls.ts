import { VECTOR_NMI } from '@trapframe/core'
import type { PvContext } from '../context.js'
import { EMULATION_HYPERCALLS } from '../emulate/hypercalls.js'
import { loadGuest } from '../guest-memory.js'
import { CALLBACKF_MASK_EVENTS, CALLBACKOP_REGISTER, CALLBACKTYPE, setMasks } from '../hypercall/callbacks.js'
import { dispatcher } from '../hypercall/dispatch.js'
import { EVENT_CHANNEL_OP, VCPU_OP } from '../hypercall/events.js'
import { ENOSYS, type Hypercall, reading } from '../hypercall/hypercall.js'
import { XEN_VERSION } from '../hypercall/version.js'
import { MMUEXT_SET_LDT, setGdt, takeLdt, updateDescriptor } from '../segment/hypercalls.js'
import { FAILSAFE_MASKS_EVENTS, type PvField } from '../state/pv-fields.js'
import { clearTraps, setTrapInfo, TI_MASKS_EVENTS } from '../state/trap-table.js'
import { SELECTOR } from './guest-stack.js'
import { COMPAT_IRET } from './iret.js'
import { FLAT_RING1_CS, fixUpSelector } from './selectors.js'

/**
 * The hypercalls of 32-bit guests: INT 82h of ring 1 with the number in EAX and arguments in EBX, ECX, EDX, ESI, EDI. Structures
 * have 32-bit members; what has none is the 64-bit guests' (P5).
 */

/** `struct trap_info`: vector, flags, selector, 32-bit address. */
const TRAP_INFO_BYTES = 8n

const selectorOf = (value: bigint): bigint => BigInt(fixUpSelector(Number(value & SELECTOR)))

const SET_TRAP_TABLE: Hypercall = {
  number: 0,
  name: 'set_trap_table',
  run(context, [traps]) {
    if (traps === 0n) {
      clearTraps(context)
      return 0
    }
    return reading(() => {
      for (let at = traps!; ; at += TRAP_INFO_BYTES) {
        const [head, address] = [loadGuest(context, at, 4), loadGuest(context, at + 4n, 4)]
        if (address === 0n) return 0
        const cs = fixUpSelector(Number(head >> 16n))
        setTrapInfo(context, Number(head & 0xffn), { flags: Number((head >> 8n) & 0xffn), cs, address })
      }
    })
  },
}

const SET_GDT: Hypercall = {
  number: 2,
  name: 'set_gdt',
  run: (context, [list, entries]) => setGdt(context, list!, entries!, 4),
}

const STACK_SWITCH: Hypercall = {
  number: 3,
  name: 'stack_switch',
  run({ vcpu }, [ss, esp]) {
    vcpu.set('kernel_ss', selectorOf(ss!))
    vcpu.set('kernel_sp', esp!)
    return 0
  },
}

/** set_callbacks(event selector, event address, failsafe selector, failsafe address). */
const SET_CALLBACKS: Hypercall = {
  number: 4,
  name: 'set_callbacks',
  run(context, [eventCs, event, failsafeCs, failsafe]) {
    register(context, CALLBACKTYPE.event, 0n, eventCs!, event!)
    return register(context, CALLBACKTYPE.failsafe, 0n, failsafeCs!, failsafe!)
  },
}

const UPDATE_DESCRIPTOR: Hypercall = {
  number: 10,
  name: 'update_descriptor',
  run: (context, [low, high, descriptorLow, descriptorHigh]) =>
    updateDescriptor(context, (high! << 32n) | low!, (descriptorHigh! << 32n) | descriptorLow!),
}

/** `struct mmuext_op`: the command, a frame or address, a number of entries. */
const MMUEXT_OP_BYTES = 12n

const MMUEXT_OP: Hypercall = {
  number: 26,
  name: 'mmuext_op',
  run: (context, [operations, count]) =>
    reading(() => {
      for (let i = 0n; i < count!; i++) {
        const at = operations! + i * MMUEXT_OP_BYTES
        if (loadGuest(context, at, 4) !== MMUEXT_SET_LDT) return ENOSYS
        const result = takeLdt(context, loadGuest(context, at + 4n, 4), loadGuest(context, at + 8n, 4))
        if (result !== 0) return result
      }
      return 0
    }),
}

const CALLBACK_OP: Hypercall = {
  number: 30,
  name: 'callback_op',
  run: (context, [cmd, arg]) =>
    reading(() => {
      if (cmd !== CALLBACKOP_REGISTER) return ENOSYS
      const head = loadGuest(context, arg!, 4)
      const [cs, eip] = [loadGuest(context, arg! + 4n, 4), loadGuest(context, arg! + 8n, 4)]
      return register(context, Number(head & SELECTOR), (head >> 16n) & CALLBACKF_MASK_EVENTS, cs, eip)
    }),
}

function register(context: PvContext, type: number, masks: bigint, cs: bigint, eip: bigint): number {
  const { vcpu, pv } = context
  const selector = selectorOf(cs)
  const inPv = (selectorField: PvField, addressField: PvField): number => {
    pv.set(selectorField, selector)
    pv.set(addressField, eip)
    return 0
  }
  switch (type) {
    case CALLBACKTYPE.event:
      pv.set('event_callback_cs', selector)
      vcpu.set('event_callback_eip', eip)
      return 0
    case CALLBACKTYPE.failsafe:
      pv.set('failsafe_callback_cs', selector)
      vcpu.set('failsafe_callback_eip', eip)
      setMasks(context, FAILSAFE_MASKS_EVENTS, masks)
      return 0
    case CALLBACKTYPE.sysenter:
      return inPv('sysenter_callback_cs', 'sysenter_callback_eip')
    case CALLBACKTYPE.syscall32:
      return inPv('syscall32_callback_cs', 'syscall32_callback_eip')
    case CALLBACKTYPE.nmi:
      setTrapInfo(context, VECTOR_NMI, { flags: TI_MASKS_EVENTS, cs: FLAT_RING1_CS, address: eip })
      return 0
    default:
      return ENOSYS
  }
}

/** Those that a 32-bit guest has. set_segment_base is not among them: its bases are those of its descriptors. */
export const COMPAT_HYPERCALLS: readonly Hypercall[] = [
  SET_TRAP_TABLE,
  SET_GDT,
  STACK_SWITCH,
  SET_CALLBACKS,
  UPDATE_DESCRIPTOR,
  MMUEXT_OP,
  CALLBACK_OP,
  COMPAT_IRET,
  XEN_VERSION,
  VCPU_OP,
  EVENT_CHANNEL_OP,
  ...EMULATION_HYPERCALLS,
]

/** INT 82h of a 32-bit guest's kernel. */
export const callCompatHypervisor = dispatcher({
  prefix: 'compat',
  hypercalls: COMPAT_HYPERCALLS,
  registers: ['rbx', 'rcx', 'rdx', 'rsi', 'rdi'],
  bits: 32,
})
