import { createMachine, type Machine, type Snapshot } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { assemble, isa } from '@trapframe/isa'
import { FLAT_USER_CS64, FLAT_USER_SS, xen } from '@trapframe/xen'
import { initialise } from '../src/guest/initial-state.js'
import { ANCHORS } from '../src/guest/memory.js'
import { PvGuest, type Stop } from '../src/guest/pv-guest.js'
import { type BounceFrame, readEntry } from '../src/guest/seen.js'
import type { HostChecks } from '../src/host-checks.js'
import { outsideCall } from '../src/outside-call.js'
import { pv } from '../src/plugin.js'

/** A booted and initialised 64-bit guest, and ways to run a few instructions in it. */
export interface PvBench {
  readonly guest: PvGuest
  readonly machine: Machine
  /** Back to the start: the guest's kernel, with everything registered. */
  reset(): void
  /** Goes to code by an iret hypercall. */
  run(source: string, how?: Partial<How>): Stop
  /** The bounce frame at the handler that was entered. */
  frame(): BounceFrame
  /** The vCPU, for looking at it. */
  vcpu(): ReturnType<typeof outsideCall>
}

export interface How {
  readonly kernel: boolean
  readonly rflags: bigint
  readonly cs: bigint
  readonly ss: bigint
  readonly rsp: bigint
  readonly rip: bigint
  /** Of the iret hypercall: 0x100 is VGCF_in_syscall. */
  readonly flags: bigint
}

export interface BenchOptions {
  readonly delivery: 'idt' | 'fred'
  readonly revision?: 'rfc' | 'upstream'
  readonly cpu?: string
  readonly checks?: Partial<HostChecks>
}

export function pvBench({ delivery, revision = 'upstream', cpu = 'panther-lake', checks = {} }: BenchOptions): PvBench {
  const machine = createMachine({ cpu, plugins: [isa(), idt(), fred(), xen(), pv({ checks })] })
  const guest = new PvGuest(machine, { revision, delivery, cmdline: 'cet=no-ibt' })
  initialise(guest)
  const start: Snapshot = machine.snapshot()
  return {
    guest,
    machine,
    reset() {
      machine.restore(start)
      guest.forgetLog()
    },
    run(source, { kernel = false, rflags = 0x202n, flags = 0n, ...how } = {}) {
      guest.placeCode(assemble(source, { origin: ANCHORS.code }).bytes)
      const cs = BigInt(FLAT_USER_CS64)
      return guest.iret({
        rax: 1n,
        r11: 2n,
        rcx: 3n,
        flags,
        rflags,
        rip: how.rip ?? ANCHORS.code,
        cs: how.cs ?? (kernel ? cs & ~3n : cs),
        rsp: how.rsp ?? (kernel ? ANCHORS.kcur : ANCHORS.ustack),
        ss: how.ss ?? BigInt(FLAT_USER_SS),
      })
    },
    frame: () => readEntry(guest).frame,
    vcpu: () => outsideCall({ machine, boot: guest.boot }),
  }
}

/** The two deliveries. */
export const BOTH = ['idt', 'fred'] as const

/** What a stop is when a handler of the trap table, or a callback, was entered. */
export const trapped = (vector: number): Stop => ({ kind: 'entry', entry: { kind: 'trap', vector } })
export const calledBack = (name: 'event' | 'failsafe' | 'syscall' | 'syscall32' | 'sysenter'): Stop => ({
  kind: 'entry',
  entry: { kind: 'callback', name },
})
