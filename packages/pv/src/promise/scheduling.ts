import {
  type Cpu,
  CR2,
  DR,
  DR7,
  FS_BASE,
  GS_BASE,
  KERNEL_GS_BASE,
  pendInterrupt,
  readMsr,
  writeMsr,
} from '@trapframe/core'
import { raiseSoftirq, SCHEDULE_SOFTIRQ, VCPU_RUNNABLE, vcpuOf } from '@trapframe/xen'
import type { PvContext } from '../context.js'
import { IA32_TSC_AUX } from '../emulate/msrs.js'
import { GuestStopped, type PvGuest } from '../guest/pv-guest.js'
import { outsideCall } from '../outside-call.js'
import { getGuestContext, setGuestContext } from '../state/guest-context.js'

/** A vCPU that is taken off its CPU and comes back, with another one in between that leaves a mark in whatever it can. */

/** Bits 47:32 of whatever belongs to another vCPU than the one that is looked at: nothing else has them. */
export const FOREIGN = 0x5ec2
/** An address of that other vCPU. */
export const foreign = (n: number): bigint => (BigInt(FOREIGN) << 32n) | BigInt(0xa5a5_0000 + n * 0x100)

/** What the other one has in the MSR that RDTSCP shows. */
export const FOREIGN_AUX = 0x5ec2_5ec2n

const TIMER = 0x40
const EVENT_CHECK = 0xfc
const STEP_LIMIT = 5000
/** All four breakpoints, on execution, enabled. */
const ALL_BREAKPOINTS = 0x4ffn

/**
 * Takes the guest's vCPU off its CPU, by the scheduler, lets another one run there, does something while it is away, and takes it
 * back: the answer to what was done, or a foreign value where one has stayed. Ends at the first instruction of the guest.
 *
 * @throws GuestStopped where it does not come back
 */
export function preempt(guest: PvGuest, meanwhile: (outside: PvContext) => number = () => 0): bigint {
  const { cpu, machine } = guest
  const vcpu = vcpuOf(cpu, 'guest', guest.layout)
  vcpu.set('flags', vcpu.get('flags') & ~VCPU_RUNNABLE)
  raiseSoftirq(cpu, SCHEDULE_SOFTIRQ)
  pendInterrupt(cpu, TIMER)
  stepUntil(guest, () => cpu.halted)
  runAnother(cpu)
  const answer = meanwhile(outsideCall({ machine, boot: guest.boot }))
  vcpu.set('flags', vcpu.get('flags') | VCPU_RUNNABLE)
  raiseSoftirq(cpu, SCHEDULE_SOFTIRQ)
  pendInterrupt(cpu, EVENT_CHECK)
  stepUntil(guest, () => cpu.cpl === 3)
  if (readMsr(cpu, IA32_TSC_AUX) === FOREIGN_AUX) return foreign(0x70)
  if (answer === 0 && meanwhile.length > 0) backToKernel(guest)
  return BigInt(answer)
}

/** Another vCPU on the CPU: what it leaves is all that a context switch has to replace. */
function runAnother(cpu: Cpu): void {
  for (const [i, slot] of [FS_BASE, GS_BASE, KERNEL_GS_BASE, CR2, DR, DR + 2, DR + 4, DR + 6].entries()) {
    cpu.set64(slot, foreign(i))
  }
  cpu.setControl(DR7, ALL_BREAKPOINTS)
  writeMsr(cpu, IA32_TSC_AUX, FOREIGN_AUX)
}

function stepUntil(guest: PvGuest, arrived: () => boolean): void {
  const logged = guest.log.length
  for (let i = 0; i < STEP_LIMIT; i++) {
    const result = guest.machine.step()
    guest.afterStep?.(guest.cpu)
    if (arrived()) return
    if (result === 'idle' || guest.log.slice(logged).some((line) => line.includes('domain_crash'))) break
  }
  throw new GuestStopped('a context switch', guest.stopped())
}

/** Lets a guest that goes on wherever its context says run until its kernel is entered. */
function backToKernel(guest: PvGuest): void {
  const stop = guest.run()
  if (stop.kind !== 'entry') throw new GuestStopped('a new context', stop)
}

/** Changes quadwords of the vCPU's vcpu_guest_context. */
export function editContext(outside: PvContext, edits: readonly (readonly [offset: number, value: bigint])[]): number {
  const bytes = getGuestContext(outside)
  const view = new DataView(bytes.buffer)
  for (const [offset, value] of edits) view.setBigUint64(offset % (bytes.length - 7), BigInt.asUintN(64, value), true)
  return setGuestContext(outside, bytes)
}
