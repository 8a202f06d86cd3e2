import { writeMsr } from '@trapframe/core'
import type { PvContext } from '../context.js'
import { loadDebugRegisters } from '../debug/debug-registers.js'
import { loadTaskSwitched } from '../fpu/task-switched.js'
import { pvStateOf } from '../state/pv-fields.js'
import { loadGuestCr4 } from './guest-cr4.js'
import { IA32_TSC_AUX } from './msrs.js'

/**
 * The part of a context switch to the guest that goes to control and debug registers: CR4, CR0.TS, DR0–DR3, DR7 and
 * IA32_TSC_AUX become the guest's. Doing it again changes nothing.
 */
export function loadGuestControls(context: Pick<PvContext, 'cpu' | 'vcpu'>): void {
  loadGuestCr4(context)
  loadTaskSwitched(context)
  loadDebugRegisters(context)
  writeMsr(context.cpu, IA32_TSC_AUX, pvStateOf(context.cpu, context.vcpu).get('tsc_aux'))
}
