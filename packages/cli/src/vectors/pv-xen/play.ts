import { type Machine, type Snapshot, UnsupportedError } from '@trapframe/core'
import { describeStop, END_VECTOR, GuestStopped, initialise, PvGuest, type Stop } from '@trapframe/pv'
import type { Mismatch } from '../format.js'
import type { Delivery, Experiment, Recorded, SetUp } from './experiment.js'
import { describe } from './number.js'
import { type Observed, observeCrash, observeEntry } from './observe.js'
import type { Operation } from './operation.js'

/** A guest that is as it is before each experiment. */
interface Ready {
  readonly guest: PvGuest
  readonly before: Snapshot
}

const guests = new WeakMap<Machine, Ready>()

/** Plays an experiment on a machine that no other delivery runs on, and compares what the guest sees with the recording. */
export function playExperiment(machine: Machine, experiment: Experiment): Mismatch | null {
  try {
    return play(guestOn(machine, experiment.delivery), experiment)
  } catch (error) {
    if (error instanceof UnsupportedError) return { field: error.what, expected: 'modelled', actual: error.message }
    if (error instanceof GuestStopped) return { field: 'setup', expected: 'done', actual: error.message }
    throw error
  }
}

/** Xen as it was recorded: supervisor shadow stacks on, branch tracking off. */
const COMMAND_LINE = 'cet=no-ibt'

function guestOn(machine: Machine, delivery: Delivery): PvGuest {
  let ready = guests.get(machine)
  if (ready === undefined) {
    const guest = new PvGuest(machine, { revision: 'upstream', delivery, cmdline: COMMAND_LINE })
    initialise(guest)
    ready = { guest, before: machine.snapshot() }
    guests.set(machine, ready)
  }
  machine.restore(ready.before)
  ready.guest.forgetLog()
  return ready.guest
}

function play(guest: PvGuest, { setUp, seen }: Experiment): Mismatch | null {
  guest.placeCode(setUp.bytes)
  const early = compareResults('setupResults', seen.setupResults, perform(guest, setUp.before))
  if (early !== null) return early
  const { events, stop } = runThrough(guest, setUp)
  for (const [i, recorded] of seen.events.entries()) {
    const observed = events[i]
    if (observed === undefined) {
      return { field: `events[${i}].entry`, expected: recorded[0]!.text, actual: describeStop(stop) }
    }
    const mismatch = compare(`events[${i}]`, recorded, observed)
    if (mismatch !== null) return mismatch
  }
  const extra = events[seen.events.length]
  if (extra !== undefined) {
    return { field: `events[${seen.events.length}].entry`, expected: 'none', actual: String(extra.entry) }
  }
  const outcome = stop.kind === 'entry' ? 'ok' : stop.kind === 'crash' ? 'domain-crash' : describeStop(stop)
  if (outcome !== seen.outcome) return { field: 'outcome', expected: seen.outcome, actual: outcome }
  if (stop.kind === 'crash') return compare('crash', seen.crash ?? [], observeCrash(stop.crash))
  return compareResults('afterResults', seen.afterResults, perform(guest, setUp.after))
}

/** From the iret hypercall that starts it to the entry that ends it. */
function runThrough(guest: PvGuest, setUp: SetUp): { readonly events: readonly Observed[]; readonly stop: Stop } {
  const { start, registers, iretFlags, resume } = setUp
  const { rax = 0n, rcx = 0n, r11 = 0n } = registers
  const events: Observed[] = []
  let stop = guest.iret({ rax, rcx, r11, flags: iretFlags, ...start }, registers)
  for (let returns = 0; stop.kind === 'entry'; returns++) {
    events.push(observeEntry(guest, stop.entry))
    const isEnd = stop.entry.kind === 'trap' && stop.entry.vector === END_VECTOR
    if (isEnd || resume === null || returns >= resume.count) break
    stop = guest.resume(resume.skipBytes, resume.iretFlags)
  }
  return { events, stop }
}

const perform = (guest: PvGuest, operations: readonly Operation[]): bigint[] =>
  operations.flatMap((operation) => operation(guest))

function compareResults(field: string, recorded: readonly Recorded[], results: readonly bigint[]): Mismatch | null {
  if (recorded.length !== results.length) {
    return { field, expected: `${recorded.length} results`, actual: `${results.length} results` }
  }
  const observed = Object.fromEntries(results.map((result, i) => [`${field}[${i}]`, result]))
  return compare('', recorded, observed)
}

/** The first recorded field that was not seen so. */
function compare(at: string, recorded: readonly Recorded[], observed: Observed): Mismatch | null {
  for (const { field, text, value } of recorded) {
    const actual = observed[at === '' ? field : field.slice(at.length + 1)] ?? null
    if (typeof actual === 'bigint') {
      if (value !== null && BigInt.asUintN(64, value) === BigInt.asUintN(64, actual)) continue
      const negative = text.startsWith('-') && BigInt.asIntN(64, actual) < 0n
      return { field, expected: text, actual: negative ? `${BigInt.asIntN(64, actual)}` : describe(actual, text) }
    }
    const said = actual ?? 'none'
    if (said !== text) return { field, expected: text, actual: said }
  }
  return null
}
