import { CR0, CR0_TS } from '@trapframe/core'
import type { PvContext } from '../context.js'
import { readElement, writeElement } from '../state/vcpu-array.js'

/**
 * CR0.TS as the guest has it. Xen restores the whole FPU state when it switches vCPUs, so that it needs no TS of its own:
 * the real one is the guest's.
 */
export const taskSwitched = ({ vcpu }: Pick<PvContext, 'vcpu'>): boolean =>
  (readElement(vcpu, 'ctrlreg', 0) & BigInt(CR0_TS)) !== 0n

/** fpu_taskswitch: sets or clears it, and the CPU's with it. */
export function setTaskSwitched(context: Pick<PvContext, 'cpu' | 'vcpu'>, set: boolean): void {
  const { vcpu } = context
  const others = readElement(vcpu, 'ctrlreg', 0) & ~BigInt(CR0_TS)
  writeElement(vcpu, 'ctrlreg', 0, others | (set ? BigInt(CR0_TS) : 0n))
  loadTaskSwitched(context)
}

/** Gives the CPU the guest's TS. */
export function loadTaskSwitched({ cpu, vcpu }: Pick<PvContext, 'cpu' | 'vcpu'>): void {
  const set = taskSwitched({ vcpu }) ? CR0_TS : 0
  cpu.setControl(CR0, BigInt(((cpu.words[CR0]! & ~CR0_TS) | set) >>> 0))
}
