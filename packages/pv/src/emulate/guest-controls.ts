import type { PvContext } from '../context.js'
import { loadDebugRegisters } from '../debug/debug-registers.js'
import { loadTaskSwitched } from '../fpu/task-switched.js'
import { loadGuestCr4 } from './guest-cr4.js'

/**
 * The part of a context switch to the guest that goes to control and debug registers: CR4, CR0.TS, DR0–DR3 and DR7 become
 * the guest's. Doing it again changes nothing.
 */
export function loadGuestControls(context: Pick<PvContext, 'cpu' | 'vcpu'>): void {
  loadGuestCr4(context)
  loadTaskSwitched(context)
  loadDebugRegisters(context)
}
