import { type Cpu, pendInterrupt, RDI } from '@trapframe/core'
import type { Call, Outcome, XenFunction } from '../handlers/context.js'
import { badSegments, loadVcpu } from '../handlers/guest.js'
import { userRegsAt } from '../handlers/user-regs.js'
import { stackOf } from '../layout/memory.js'
import { perCpuAddress } from '../layout/per-cpu.js'
import { guestRegsOf } from '../layout/stack.js'
import { currentOf, isRunnable, scheduleIn, scheduleOut } from '../registers/context-switch.js'
import { loadField, storeField } from '../registers/struct-view.js'
import { crashDomain } from './domain-crash.js'
import { toGuestCode, toIdleLoop } from './stacks.js'

/** Bit of the scheduler among the softirqs. What the others would do is not modelled: they are taken off the list. */
export const SCHEDULE_SOFTIRQ = 1 << 3

const pendingAddress = (cpu: Cpu): bigint => perCpuAddress(cpu.id, 'softirq_pending')

/** Adds softirqs to those that wait on a CPU. */
export function raiseSoftirq(cpu: Cpu, bits: number): void {
  storeField(cpu, pendingAddress(cpu), 4, loadField(cpu, pendingAddress(cpu), 4) | BigInt(bits))
}

/** Takes all that wait; whether the scheduler is among them. */
function takeSoftirqs(cpu: Cpu): boolean {
  const pending = Number(loadField(cpu, pendingAddress(cpu), 4))
  storeField(cpu, pendingAddress(cpu), 4, 0n)
  return (pending & SCHEDULE_SOFTIRQ) !== 0
}

/** do_softirq on the way to a guest: the scheduler lets it go on, or puts it away if it may not run. */
const doSoftirq: XenFunction = (call) => {
  const { cpu, build } = call
  if (!takeSoftirqs(cpu) || currentOf(cpu) === 'idle' || isRunnable(cpu, build.layout)) return 'return'
  scheduleOut(cpu, build.layout)
  return toIdleLoop(call)
}

/** The same in the idle loop: the scheduler takes the guest back if it may run. */
const idleSoftirq: XenFunction = (call): Outcome => {
  const { cpu, build } = call
  if (!takeSoftirqs(cpu) || !isRunnable(cpu, build.layout)) return 'return'
  const bad = scheduleIn(cpu, build.layout)
  loadVcpu(cpu, build.layout)
  if (bad.length > 0) {
    const regs = userRegsAt(cpu, guestRegsOf(stackOf(cpu.id).linear, build.layout))
    const answer = badSegments({ ...call, regs })
    if (answer !== 'resume') return crashDomain({ ...call, regs }, answer.crash)
  }
  return toGuestCode(call)
}

/** send_IPI_self: an interrupt of the vector in EDI, from the CPU to itself. */
const sendIpiSelf = ({ cpu }: Call): Outcome => {
  pendInterrupt(cpu, cpu.words[RDI]! & 0xff)
  return 'return'
}

/** The functions about softirqs, by name. */
export const SOFTIRQ_HANDLERS: readonly (readonly [name: string, run: XenFunction])[] = [
  ['do_softirq', doSoftirq],
  ['idle_softirq', idleSoftirq],
  ['send_IPI_self', sendIpiSelf],
]
