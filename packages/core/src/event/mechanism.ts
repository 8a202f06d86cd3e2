import type { Cpu } from '../cpu/cpu.js'
import type { CpuEvent } from './event.js'

/** What far transfers may do while a mechanism is active. */
export interface TransferPolicy {
  /** Far RET and IRET may return to an outer ring. */
  readonly returnToOuterRing: boolean
  /** Far CALL and JMP may go through a call gate. */
  readonly callGates: boolean
  /** CPL 0 may run in compatibility mode. */
  readonly ring0CompatibilityMode: boolean
  /** A far return to an outer ring frees the busy token of the supervisor shadow stack that it leaves. */
  readonly shadowStackTokens: boolean
}

/** A way of delivering events. Exactly one is active at a time, chosen by control bits; core knows none by name. */
export interface DeliveryMechanism {
  readonly name: string
  /** Active while `CR4 & mask = value` and `EFER & mask = value`; empty for a fallback. */
  readonly activeWhen: {
    readonly cr4?: { readonly mask: bigint; readonly value: bigint }
    readonly efer?: { readonly mask: bigint; readonly value: bigint }
  }
  /** Active when no other mechanism is. */
  readonly fallback?: boolean
  readonly transferPolicy: TransferPolicy
  /**
   * Delivers an event completely, or throws a Fault and leaves every register as it was (bytes already pushed stay in
   * memory). CR2, DR6 and RIP are set already; blocking is changed by core afterwards.
   */
  deliver(cpu: Cpu, event: CpuEvent): void
}
