import { eventName, type Observer, type Snapshot } from '@trapframe/core'
import { liveFrames } from '@trapframe/explore'
import type { Step } from '../session/cell-run.js'
import type { PreparedCell } from '../session/prepare.js'
import { type Finished, runCell } from '../session/run-cell.js'
import { endState } from './end-state.js'
import type { Disturbance } from './events.js'

/** A boundary between two instructions of ring 0: the CPU stands before the second. */
export interface Boundary {
  /** Number of the step that it precedes. */
  readonly step: number
  readonly cpu: number
  readonly rip: bigint
  readonly rsp: bigint
  /** The instruction's address by name: `syscall_entry+0xa`. */
  readonly name: string
}

/** What one event at one boundary led to. */
export interface Effect {
  readonly boundary: Boundary
  /** The event's frame; null where it was never delivered. */
  readonly frame: { readonly address: bigint; readonly region: string | null; readonly good: boolean } | null
  /** The event waited at the boundary: it was blocked. */
  readonly waited: boolean
  /** Events whose live frames lost bytes. */
  readonly clobbered: readonly string[]
  /** How the run ended, where that is not as without the event. */
  readonly otherwise: string | null
}

/** A cell that was run once without any disturbance. */
export interface Undisturbed {
  readonly boundaries: readonly Boundary[]
  readonly state: string
  readonly outcome: Finished['run']['outcome']
  /** Lines that the host printed. */
  readonly printed: number
  /** Frames that are clobbered anyway. */
  readonly clobbered: readonly string[]
}

/** Runs a cell as it is, from its beginning. */
export function runUndisturbed(prepared: PreparedCell, start: Snapshot): Undisturbed {
  const { run, clobbered } = play(prepared, start, null)
  return {
    boundaries: run.history
      .filter(({ kind, before }) => kind === 'instruction' && before.cpl < 3)
      .map((step) => boundaryBefore(step, run.nameOf)),
    state: endState(run.machine),
    outcome: run.outcome,
    printed: run.log.length,
    clobbered,
  }
}

const boundaryBefore = (
  { number, cpu, before: { rip, rsp } }: Step,
  nameOf: (address: bigint) => string,
): Boundary => ({
  step: number,
  cpu,
  rip,
  rsp,
  name: nameOf(rip),
})

/** Runs a cell from its beginning, with one event at one boundary. */
export function disturb(
  prepared: PreparedCell,
  start: Snapshot,
  calm: Undisturbed,
  event: Disturbance,
  boundary: Boundary,
): Effect {
  const { run, clobbered } = play(prepared, start, { event, boundary })
  const delivery = run.deliveries.find(
    ({ step, cpu, event: name }) => step >= boundary.step && cpu === boundary.cpu && name === event.name,
  )
  const bad = run.violations.some(
    ({ invariant, step, cpu }) => invariant === 'good-stack' && step === delivery?.step && cpu === delivery.cpu,
  )
  const same = run.outcome === calm.outcome && run.log.length === calm.printed && endState(run.machine) === calm.state
  return {
    boundary,
    frame:
      delivery === undefined ? null : { address: delivery.frame.address, region: delivery.frame.region, good: !bad },
    waited: delivery !== undefined && delivery.step > boundary.step,
    clobbered: clobbered.filter((name) => !calm.clobbered.includes(name)),
    otherwise: same ? null : endingOf(run, calm),
  }
}

/** The last thing that the host said, or what became of the run. */
function endingOf({ log, outcome }: Finished['run'], calm: Undisturbed): string {
  const said = log.slice(calm.printed).findLast((line) => /[a-z]/i.test(line))
  if (outcome === 'shutdown') return 'shutdown'
  return said ?? (outcome === calm.outcome ? 'with other registers' : outcome)
}

function play(
  prepared: PreparedCell,
  start: Snapshot,
  at: { readonly event: Disturbance; readonly boundary: Boundary } | null,
) {
  const { machine, injections } = prepared
  machine.restore(start)
  const clobbered = new Set<string>()
  const observer: Observer = {
    instruction(cpu) {
      for (const frame of liveFrames(cpu)) if (frame.clobbered) clobbered.add(eventName(frame.event))
    },
  }
  const extra =
    at === null
      ? []
      : [
          {
            verb: at.event.verb,
            value: at.event.value,
            cpu: at.boundary.cpu,
            moment: { step: at.boundary.step },
            path: ['inject'],
          },
        ]
  const release = machine.observe(observer)
  try {
    const { run } = runCell(
      { ...prepared, injections: [...injections, ...extra], expectations: [] },
      { history: at === null },
    )
    return { run, clobbered: [...clobbered] }
  } finally {
    release()
  }
}
