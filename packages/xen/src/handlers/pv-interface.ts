import { type Cpu, defineSlot, RF, type Slot, VECTOR_BP, VECTOR_GP, VECTOR_OF } from '@trapframe/core'
import { vcpuName } from '../diagnostics/show-registers.js'
import type { Vcpu } from '../registers/vcpu.js'
import type { Call } from './context.js'
import { hex4, xenVectorName } from './vector-name.js'

/** What a PV guest asked for or ran into, the same for both deliveries. */
export type PvEvent =
  /** RIP is behind the instruction of `length` bytes: 2, the least, where the IDT does not tell. */
  | { readonly kind: 'syscall' | 'syscall32'; readonly length: number }
  | { readonly kind: 'sysenter' }
  /**
   * INT n that reached Xen as such: RIP is behind the instruction of `length` bytes. Under the IDT that is 80h alone, whose
   * length is not known but for the two bytes that it has at least; every other INT n is the #GP of {@link refusedGate}.
   */
  | { readonly kind: 'software-interrupt'; readonly vector: number; readonly length: number }
  | {
      readonly kind: 'exception'
      readonly vector: number
      /** Null where the exception has none. */
      readonly errorCode: number | null
      /** The linear address of #PF; 0 otherwise. */
      readonly address: bigint
      /** Of #DB: what has happened, in DR6's layout, all positive. */
      readonly conditions?: bigint
    }

/** What the guest's registers are, and whose. */
export type PvCall = Call

/** `resume` goes back to the guest with the registers as they are now; a crash stops its domain. */
export type PvAnswer = 'resume' | { readonly crash: string }

/** Xen's interface to PV guests, as far as events go. The one with the highest precedence answers. */
export interface PvInterface {
  handle(call: PvCall, event: PvEvent): PvAnswer
  /**
   * Asked with interrupts off when nothing but the return to the guest is left to do: delivers what waits for the guest, the
   * most urgent one first. `again`: something was delivered, and softirqs and this are looked at once more.
   */
  beforeReturn?(call: PvCall): PvAnswer | 'again'
  /**
   * A data segment of a vCPU that has just been scheduled in could not be loaded, and is null now; pv_vcpu still has what the
   * guest wanted.
   */
  badSegments?(call: PvCall): PvAnswer
  /** Told when a CPU is about to run the guest's vCPU: gives the CPU what else is the guest's. */
  loadVcpu?(cpu: Cpu, vcpu: Vcpu): void
}

/** Who answers what PV guests do; the first answer is taken. */
export const PV_INTERFACE: Slot<PvInterface> = defineSlot('xen/pv-interface', 'first')

/**
 * An interface without guests' handlers: system calls, INT n, INT3 and INTO just return; any other exception has nobody to
 * go to, and crashes the domain.
 */
export const NO_HANDLERS: PvInterface = {
  handle(call, event) {
    if (event.kind === 'sysenter') return { crash: 'no SYSENTER callback' }
    if (event.kind !== 'exception' || event.vector === VECTOR_BP || event.vector === VECTOR_OF) return 'resume'
    if (refusedGate(event) !== null) {
      const { regs } = call
      regs.set('rip', regs.get('rip') + BigInt(INT_BYTES))
      regs.set('rflags', regs.get('rflags') & ~BigInt(RF))
      return 'resume'
    }
    logUnhandled(call, event.vector, event.errorCode)
    return { crash: 'no handler' }
  },
}

/** INT n is two bytes. */
const INT_BYTES = 2

/** Bit 1 of a selector error code: the fault is about a gate. Bit 0: nobody asked for the event. */
const ERROR_CODE_IDT = 2
const ERROR_CODE_EXT = 1

/**
 * The vector of the gate that a guest's INT n was refused under the IDT, where Xen keeps all but three to itself; null for
 * any other event. RIP is that of the instruction.
 */
export function refusedGate(event: PvEvent): number | null {
  if (event.kind !== 'exception' || event.vector !== VECTOR_GP || event.errorCode === null) return null
  return (event.errorCode & (ERROR_CODE_IDT | ERROR_CODE_EXT)) === ERROR_CODE_IDT ? event.errorCode >> 3 : null
}

/** Prints that an exception of a guest has nobody to go to. */
export function logUnhandled({ machine, cpu }: PvCall, vector: number, errorCode: number | null): void {
  const code = errorCode === null ? '' : `[${hex4(errorCode)}]`
  machine.log(`${vcpuName(cpu)} Unhandled: vec ${vector}, ${xenVectorName(vector)}${code}`, cpu)
}
