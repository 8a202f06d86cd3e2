import { type Boot, type Cpu, defineSlot, type Machine, type Slot, type StackMap } from '@trapframe/core'
import type { Clobber, LiveFrame } from '../ghost/frame.js'
import type { ReturnedFrame, StepNotes } from '../ghost/notes.js'

/**
 * What an invariant sees: the machine as it is after a step, and the ghost state before and after it. Everything is read
 * when it is asked for, and good until the check returns.
 */
export interface InvariantContext {
  readonly machine: Machine
  /** The CPU that is judged; each one is. */
  readonly cpu: Cpu
  readonly boot: Boot
  /** The stack map of this CPU. Reading one is slow, and in a search it is read once. */
  readonly stacks: StackMap
  /** Live frames of this CPU when the last check ended, oldest first. */
  readonly before: readonly LiveFrame[]
  /** Live frames now. */
  readonly after: readonly LiveFrame[]
  /** Frames that were pushed in between, oldest first; one that was consumed at once is not in `after`. */
  readonly delivered: readonly LiveFrame[]
  /** The first overwriting of a live frame of this CPU in between. */
  readonly clobber: Clobber | null
  /** The frame that a return of this CPU consumed in between. */
  readonly returned: ReturnedFrame | null
  /** What else is known about what this CPU did in between. */
  readonly notes: StepNotes
}

/** What was found. */
export interface Violation {
  /** Name of the invariant. */
  readonly invariant: string
  /** A sentence with the event and the address: `NMI frame written to 7ffeffd8, guest memory`. */
  readonly message: string
  /** Number of the CPU. */
  readonly cpu: number
  /** Number of the step, where the caller counts them. */
  readonly step?: number
}

/** Something that must hold after every step. It captures no state: what it needs to remember, a region holds. */
export interface Invariant {
  readonly name: string
  /** One sentence for listings. */
  readonly summary: string
  /**
   * It finds something only in what the judged CPU did or suffered in the step: where its notes, the delivered frames, the
   * returned frame and the clobber are all empty, it is not asked, and what it finds it reads from this CPU alone. Left
   * out, it is asked after every step for every CPU, and may look at anything.
   */
  readonly local?: boolean
  /**
   * Asked only by a search, and by a run whose scenario names it: of a run that is about something else it would tell what
   * the run shows anyway, or what it means to show.
   */
  readonly onRequest?: boolean
  check(context: InvariantContext): Violation | null
}

/** The invariants of a machine; plugins add their own. */
export const INVARIANTS: Slot<Invariant> = defineSlot('explore/invariants', 'all')
