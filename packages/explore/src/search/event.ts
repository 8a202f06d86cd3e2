import {
  BLOCKED_BY_MOV_SS,
  BLOCKED_BY_NMI,
  BLOCKED_BY_STI,
  type Cpu,
  defineSlot,
  EXTERNAL_INTERRUPT,
  eventName,
  IF,
  MCG_MCIP,
  MCG_STATUS,
  PENDING_INTERRUPTS,
  PENDING_MACHINE_CHECK,
  PENDING_NMI,
  PENDING_TRAP,
  pendDebugTrap,
  pendInterrupt,
  pendMachineCheck,
  pendNmi,
  RFLAGS,
  SHUTDOWN,
  type Slot,
  STATUS,
} from '@trapframe/core'

/** An event that a search makes happen at instruction boundaries. It captures no state. */
export interface ExploreEvent {
  /** What reports call it: `NMI`, `interrupt 0x21`. Unique in a search. */
  readonly name: string
  /** How a scenario's `inject` says it: the verb's name with what it takes; left out where there is no such verb. */
  readonly verb?: readonly [name: string, value: Readonly<Record<string, unknown>>]
  /**
   * Whether the CPU would take it at this boundary. One that is held back is no choice here: it would be taken at the
   * first boundary where it is not, and that boundary has it as a choice.
   */
  ready(cpu: Cpu): boolean
  /**
   * Whether it can wait at this boundary though it is not ready. Asked only in searches that inject in some places alone,
   * where the boundary that takes it may be none of them.
   */
  latches(cpu: Cpu): boolean
  /**
   * Makes it happen; the next step takes it. What is returned is called when that step is over.
   */
  inject(cpu: Cpu): (() => void) | undefined
}

/** Events that searches know by name; plugins add their own. */
export const EXPLORE_EVENTS: Slot<ExploreEvent> = defineSlot('explore/events', 'all')

const status = (cpu: Cpu): number => cpu.words[STATUS]!

/** A non-maskable interrupt. */
export const NMI_EVENT: ExploreEvent = {
  name: 'NMI',
  verb: ['nmi', {}],
  ready: (cpu) => (status(cpu) & (PENDING_NMI | BLOCKED_BY_NMI | BLOCKED_BY_MOV_SS | SHUTDOWN)) === 0,
  latches: (cpu) => (status(cpu) & (PENDING_NMI | SHUTDOWN)) === 0,
  inject: (cpu) => {
    pendNmi(cpu)
    return undefined
  },
}

/**
 * A machine check where IA32_MCG_STATUS.MCIP is clear. While it is set a machine check shuts the CPU down before anything
 * is delivered (SDM 3B), which is true of every program and says nothing about this one: {@link
 * MACHINE_CHECK_ANYWHERE_EVENT} is for those who want to hear it.
 */
export const MACHINE_CHECK_EVENT: ExploreEvent = {
  name: '#MC',
  verb: ['mc', {}],
  ready: (cpu) => (status(cpu) & (PENDING_MACHINE_CHECK | SHUTDOWN)) === 0 && (cpu.words[MCG_STATUS]! & MCG_MCIP) === 0,
  latches: () => false,
  inject: (cpu) => {
    pendMachineCheck(cpu)
    return undefined
  },
}

/** A machine check wherever one can come. Nothing holds it back. */
export const MACHINE_CHECK_ANYWHERE_EVENT: ExploreEvent = {
  ...MACHINE_CHECK_EVENT,
  name: '#MC at any time',
  ready: (cpu) => (status(cpu) & (PENDING_MACHINE_CHECK | SHUTDOWN)) === 0,
}

/** A debug trap on the previous instruction, with condition B0: what a data breakpoint does. */
export const DEBUG_EVENT: ExploreEvent = {
  name: '#DB',
  verb: ['db', {}],
  ready: (cpu) => (status(cpu) & (PENDING_TRAP | BLOCKED_BY_MOV_SS | SHUTDOWN)) === 0,
  latches: (cpu) => (status(cpu) & (PENDING_TRAP | SHUTDOWN)) === 0,
  inject: (cpu) => {
    pendDebugTrap(cpu, 1)
    return undefined
  },
}

/** An external interrupt with a vector, 0–255, which no interrupt controller knows of. */
export function interruptEvent(vector: number): ExploreEvent {
  const pending = (cpu: Cpu): boolean =>
    (cpu.words[PENDING_INTERRUPTS + (vector >>> 5)]! & (1 << (vector & 31))) !== 0 || (status(cpu) & SHUTDOWN) !== 0
  return {
    name: eventName({ type: EXTERNAL_INTERRUPT, vector }),
    verb: ['interrupt', { vector }],
    ready: (cpu) =>
      !pending(cpu) && (cpu.words[RFLAGS]! & IF) !== 0 && (status(cpu) & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS)) === 0,
    latches: (cpu) => !pending(cpu),
    inject: (cpu) => {
      pendInterrupt(cpu, vector)
      return undefined
    },
  }
}

/**
 * A page fault on a chosen page: for one step the page of linear address `address` is not there, and the instruction that
 * needs it faults; when the step is over it is there again, as if whoever took it had brought it back. A step that does
 * not touch the page is an ordinary one, and leads where that leads.
 *
 * A step that changes the page tables itself keeps its change, and the page is then brought back by nobody.
 */
export function pageFaultEvent(address: bigint): ExploreEvent {
  const page = BigInt.asUintN(64, address) & ~0xfffn
  // The same tables without the page, by the tables themselves, which never change once they are shared.
  const without = new WeakMap<ReadonlyMap<number, number>, ReadonlyMap<number, number>>()
  return {
    name: `#PF ${page.toString(16)}`,
    verb: ['pf', { address: page }],
    ready: (cpu) => (status(cpu) & SHUTDOWN) === 0 && cpu.space.flagsAt(page) !== 0,
    latches: () => false,
    inject({ space }) {
      const before = space.share()
      let during = without.get(before)
      if (during === undefined) {
        space.unmap(page)
        during = space.share()
        without.set(before, during)
      } else {
        space.adopt(during)
      }
      return () => {
        if (space.share() === during) space.adopt(before)
      }
    },
  }
}

/** The events that explore itself contributes, by the names that people type. */
export const STANDARD_EVENTS: Readonly<Record<string, ExploreEvent>> = {
  nmi: NMI_EVENT,
  mc: MACHINE_CHECK_EVENT,
  'mc-any': MACHINE_CHECK_ANYWHERE_EVENT,
  db: DEBUG_EVENT,
}
