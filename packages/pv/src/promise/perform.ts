import { FLAT_USER_CS64, FLAT_USER_SS } from '@trapframe/xen'
import { callbackEntry, vectorEntry } from '../guest/entry-points.js'
import * as hypercalls from '../guest/hypercalls.js'
import { ARGUMENTS } from '../guest/kernel.js'
import { ANCHORS, GUEST_GDT } from '../guest/memory.js'
import * as operations from '../guest/operations.js'
import { GuestStopped, type PvGuest } from '../guest/pv-guest.js'
import type { SetUpStep } from './program.js'
import { editContext, preempt } from './scheduling.js'

/** Result of a step after which the guest was not where it should be. */
export const STOPPED = 'stopped'

const TABLES = { gdt: GUEST_GDT, ldt: ANCHORS.ldt } as const

/** Lets the guest's kernel do one step; what Xen answered, or how it failed. */
export function perform(guest: PvGuest, step: SetUpStep): bigint | string {
  try {
    return run(guest, step)
  } catch (thrown) {
    if (thrown instanceof GuestStopped) return `${STOPPED}: ${thrown.message.replace(/RIP 0x[0-9a-f]+/, '')}`
    throw thrown
  }
}

function run(guest: PvGuest, step: SetUpStep): bigint {
  switch (step.op) {
    case 'set_trap': {
      const { vector, dpl, masks } = step
      const trap = { vector, dpl, maskEvents: masks, cs: FLAT_USER_CS64, address: vectorEntry(vector) }
      return hypercalls.setTraps(guest, [trap])
    }
    case 'clear_trap':
      return hypercalls.clearTrap(guest, step.vector)
    case 'callback':
      return hypercalls.registerCallback(guest, step.name, step.present ? callbackEntry(step.name) : 0n, step.masks)
    case 'descriptor':
      return hypercalls.updateDescriptor(guest, TABLES[step.table] + BigInt(8 * step.index), step.value)
    case 'ldt':
      return hypercalls.setLdt(guest, ANCHORS.ldt, step.entries)
    case 'segment_base':
      return hypercalls.setSegmentBase(guest, hypercalls.SEGMENT_BASES[step.which], step.value)
    case 'load':
      return BigInt((operations.loadSelector(guest, step.segment, BigInt(step.selector)) ?? -1) + 1)
    case 'debugreg':
      return hypercalls.setDebugreg(guest, step.n, step.value)
    case 'stack':
      return hypercalls.stackSwitch(guest, BigInt(FLAT_USER_SS), step.rsp)
    case 'iopl': {
      const assist = step.assist ? hypercalls.vmAssist(guest, 'architectural_iopl', true) : 0n
      return assist === 0n ? hypercalls.setIopl(guest, step.iopl) : assist
    }
    case 'taskswitch':
      return hypercalls.fpuTaskswitch(guest, true)
    case 'cr4':
      operations.setCr4Bits(guest, step.bits)
      return 0n
    case 'event':
      return hypercalls.sendEvent(guest)
    case 'nmi':
      return operations.sendNmi(guest)
    case 'hypercall':
      step.structure.forEach((value, i) => {
        guest.cpu.space.write64(ARGUMENTS + BigInt(8 * i), value)
      })
      return guest.hypercall(step.number, ...step.args)
    case 'fill':
      step.values.forEach((value, i) => {
        guest.cpu.space.write64(step.page + BigInt(8 * i), value)
      })
      return 0n
    case 'preempt':
      return preempt(guest)
    case 'context':
      return preempt(guest, (outside) => editContext(outside, step.edits))
  }
}
