import { createMachine, type Machine, raise, type Snapshot, type TraceEntry } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import type { Revision } from '../boot/decision.js'
import { xen } from '../plugin.js'
import { FIRST_EVENTS, type FirstEvent } from './events.js'
import { POISONED_PLACES, type PoisonedPlace } from './places.js'

/** What became of one event that was sent to a poisoned stack. */
export interface PoisonRow {
  readonly delivery: 'idt' | 'fred'
  readonly revision: Revision
  /** The poisoned pointer: `SL1` is IA32_FRED_RSP1, `SSP1` its shadow stack's with the RSP mended, `IST5`, … */
  readonly place: string
  readonly shadowStacks: boolean
  /** The first event: the one that was sent there. */
  readonly event: string
  /** Faults met while it and what came of it were delivered: `#PF[0003] during #GP`. */
  readonly faults: readonly string[]
  /** The event that was delivered in the end: `#DF`, `nested #PF` where its frame says so; null for a shutdown. */
  readonly delivered: string | null
  /** The stack that its frame lies on; null for a shutdown. */
  readonly stack: string | null
  /** How it ended: what Xen's panic says, `domain crash`, or `shutdown`. */
  readonly ending: string
  /** Stacks on which anything ran from the event on, by name. */
  readonly ranOn: readonly string[]
}

const CPU = 'panther-lake'
const MOST_STEPS = 2000

/**
 * Sends every event that can have a stack of its own to every poisoned one, and lets the machine say what happens: the
 * table of X5 and X6.
 */
export function poisonTable(): PoisonRow[] {
  return POISONED_PLACES.flatMap((place) =>
    place.revisions.flatMap((revision) =>
      (place.shadowStacksOnly === true ? [true] : [true, false]).flatMap((shadowStacks) => {
        const machine = createMachine({ cpu: CPU, plugins: [isa(), idt(), fred(), xen()] })
        const boot = machine.boot('xen', { delivery: place.delivery, options: { revision, shadowStacks } })
        boot.sites[place.from]!.enter(machine.cpu)
        const booted = machine.snapshot()
        return FIRST_EVENTS.map((event) => ({
          delivery: place.delivery,
          revision,
          place: place.name,
          shadowStacks,
          event: event.name,
          ...send(machine, booted, place, event, (rsp) => stackOf(boot.stackMap(machine.cpu), rsp)),
        }))
      }),
    ),
  )
}

type Result = Pick<PoisonRow, 'faults' | 'delivered' | 'stack' | 'ending' | 'ranOn'>

function send(
  machine: Machine,
  booted: Snapshot,
  place: PoisonedPlace,
  event: FirstEvent,
  stackAt: (rsp: bigint) => string,
): Result {
  machine.restore(booted)
  const { cpu } = machine
  place.send(cpu, event)
  const entries: TraceEntry[] = []
  const release = machine.trace.record((entry) => entries.push(entry))
  const ranOn = new Set<string>()
  try {
    raise(cpu, event.event)
    for (let n = 0; n < MOST_STEPS; n++) {
      if (!cpu.isShutdown) ranOn.add(stackAt(cpu.rsp))
      if (machine.step() === 'idle') break
    }
  } finally {
    release()
  }
  const last = entries.find((entry) => entry.type === 'event')
  return {
    faults: entries.flatMap((entry) =>
      entry.type === 'fault' && entry.during !== null
        ? [`${entry.fault}[${entry.errorCode.toString(16).padStart(4, '0')}] during ${entry.during}`]
        : [],
    ),
    delivered: last === undefined ? null : `${last.nested && place.delivery === 'fred' ? 'nested ' : ''}${last.event}`,
    stack: last === undefined ? null : stackAt(last.rsp),
    ending: endingOf(entries),
    ranOn: [...ranOn],
  }
}

function endingOf(entries: readonly TraceEntry[]): string {
  if (entries.some(({ type }) => type === 'shutdown')) return 'shutdown'
  const lines = entries.flatMap((entry) => (entry.type === 'log' ? [entry.text] : []))
  const panic = lines.findIndex((line) => line.startsWith('Panic on CPU'))
  if (panic >= 0) return lines[panic + 1]!
  return lines.some((line) => line.startsWith('Domain 1 (')) ? 'domain crash' : 'goes on'
}

/** Name of the region of the stack map that the byte below an address lies in. */
function stackOf(
  map: { readonly regions: readonly { name: string; address: bigint; bytes: number }[] },
  rsp: bigint,
): string {
  const region = map.regions.find(({ address, bytes }) => rsp >= address && rsp <= address + BigInt(bytes) - 1n)
  return region?.name ?? 'elsewhere'
}
