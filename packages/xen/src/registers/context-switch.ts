import type { Cpu } from '@trapframe/core'
import { type UserRegs, userRegsAt } from '../handlers/user-regs.js'
import type { CpuInfoLayout } from '../layout/cpu-info.js'
import { cpuStateOffset } from '../layout/cpu-info.js'
import { stackOf, vcpuPage } from '../layout/memory.js'
import { guestRegsOf } from '../layout/stack.js'
import type { DataSelector } from '../layout/user-regs.js'
import { loadSegments, saveSegments } from './segments.js'
import { copyUserRegs, VCPU_RUNNABLE, type Vcpu, vcpuAt } from './vcpu.js'

/** Each CPU has an idle vCPU and one of the guest's. */
export type VcpuOwner = 'idle' | 'guest'

/** The vCPU of a CPU. */
export const vcpuOf = (cpu: Cpu, whose: VcpuOwner, layout: CpuInfoLayout): Vcpu =>
  vcpuAt(cpu, vcpuPage(cpu.id, whose).linear, layout)

/** The guest's cpu_user_regs at the top of a CPU's stack: what Xen works on while it runs on behalf of the guest. */
export const guestUserRegs = (cpu: Cpu, layout: CpuInfoLayout): UserRegs =>
  userRegsAt(cpu, guestRegsOf(stackOf(cpu.id).linear, layout))

const currentField = (cpu: Cpu): bigint => stackOf(cpu.id).linear + BigInt(cpuStateOffset('current_vcpu'))

/** Says in cpu_info whose vCPU runs. */
export function setCurrent(cpu: Cpu, whose: VcpuOwner): void {
  cpu.space.write64(currentField(cpu), vcpuPage(cpu.id, whose).linear)
}

/** Whose vCPU runs, as cpu_info says. */
export function currentOf(cpu: Cpu): VcpuOwner {
  return cpu.space.read64(currentField(cpu)) === vcpuPage(cpu.id, 'guest').linear ? 'guest' : 'idle'
}

/** Puts the guest's vCPU away: its frame on the primary stack, and its segments. The idle vCPU is current then. */
export function scheduleOut(cpu: Cpu, layout: CpuInfoLayout): void {
  const guest = vcpuOf(cpu, 'guest', layout)
  copyUserRegs(cpu, guestRegsOf(stackOf(cpu.id).linear, layout), guest.userRegs.address)
  saveSegments(cpu, guest)
  setCurrent(cpu, 'idle')
}

/**
 * Takes the guest's vCPU back: its frame lies on the primary stack then, ready for the exit to the guest. Returns the names
 * of the segments that could not be loaded.
 */
export function scheduleIn(cpu: Cpu, layout: CpuInfoLayout): readonly DataSelector[] {
  const guest = vcpuOf(cpu, 'guest', layout)
  copyUserRegs(cpu, guest.userRegs.address, guestRegsOf(stackOf(cpu.id).linear, layout))
  const bad = loadSegments(cpu, guest)
  setCurrent(cpu, 'guest')
  return bad
}

/** Whether the guest's vCPU may run. */
export const isRunnable = (cpu: Cpu, layout: CpuInfoLayout): boolean =>
  (vcpuOf(cpu, 'guest', layout).get('flags') & VCPU_RUNNABLE) !== 0n
