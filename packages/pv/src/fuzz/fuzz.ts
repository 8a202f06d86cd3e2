import { type Machine, type Snapshot, UnsupportedError } from '@trapframe/core'
import fc from 'fast-check'
import { initialise } from '../guest/initial-state.js'
import { PvGuest } from '../guest/pv-guest.js'
import { compareDeliveries, type Divergence } from '../promise/compare.js'
import { printDifferences, printProgram } from '../promise/print.js'
import type { GuestProgram } from '../promise/program.js'
import { breaksPromise } from '../promise/search.js'
import { hostilePrograms, type Targets } from './arbitrary.js'
import { checkAnswers, checkSeen, markNeighbours } from './neighbour.js'
import { Violation, Watch } from './watch.js'

/** A watched guest on a machine of its own. */
interface Watched {
  readonly guest: PvGuest
  readonly before: Snapshot
  readonly watch: Watch
}

/** What a case came to: nothing, or what must never be. */
export interface Finding {
  readonly what: string
  readonly delivery: 'idt' | 'fred' | 'both'
}

/** Which cases are tried. */
export interface FuzzOptions {
  readonly seed: number
  readonly cases: number
  /** Whether a finding is made smaller. Default: yes. */
  readonly shrink?: boolean
}

/** What trying them came to. */
export interface FuzzResult {
  /** Cases that were run, without those that shrinking took. */
  readonly cases: number
  readonly finding: Finding | null
  /** The smallest program with a finding. */
  readonly program: GuestProgram | null
}

/**
 * A hypervisor under both deliveries, revision `rfc`, two CPUs each, and a guest on the first that means harm (P6). Every program
 * runs on both: each step is watched, and what the guests see must be the same (P1).
 */
export class Fuzzer {
  readonly #both: readonly [Watched, Watched]
  readonly #programs: fc.Arbitrary<GuestProgram>

  /** @param machine makes a machine with two CPUs and the plugins of both deliveries, Xen and PV guests */
  constructor(machine: () => Machine) {
    this.#both = [watched(machine(), 'idt'), watched(machine(), 'fred')]
    this.#programs = hostilePrograms(targetsOf(this.#both[0].guest))
  }

  /** Runs one program; what it has shown. */
  run(program: GuestProgram): Finding | null {
    for (const { guest, before, watch } of this.#both) {
      guest.machine.restore(before)
      guest.forgetLog()
      watch.begin()
    }
    const guests = { idt: this.#both[0].guest, fred: this.#both[1].guest }
    try {
      const divergences = compareDeliveries(guests, program, {
        seen: (delivery, seen) => checkSeen(guests[delivery], seen),
        answered: (delivery, answers) => checkAnswers(guests[delivery], answers),
      })
      const difference = hasOwnHandlers(program) ? undefined : divergences.map(broken).find((text) => text !== null)
      for (const { watch } of this.#both) watch.check()
      return difference === undefined ? null : { what: difference!, delivery: 'both' }
    } catch (thrown) {
      if (thrown instanceof UnsupportedError) return null
      if (thrown instanceof Violation) return { what: thrown.message, delivery: thrown.delivery }
      const what = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
      return { what: `the host itself failed: ${what}`, delivery: 'both' }
    }
  }

  /** Runs random programs until one shows what must never be, and makes that one smaller. The same seed runs the same. */
  fuzz({ seed, cases, shrink = true }: FuzzOptions): FuzzResult {
    let count = 0
    let failed = false
    const property = fc.property(this.#programs, (program) => {
      if (!failed) count++
      const ok = this.run(program) === null
      failed ||= !ok
      return ok
    })
    const { counterexample } = fc.check(property, { seed, numRuns: cases, endOnFailure: !shrink })
    const program = counterexample?.[0] ?? null
    return { cases: count, finding: program === null ? null : this.run(program), program }
  }
}

/** Guests go round in circles often: nothing new comes of it after so many steps. */
const STEP_LIMIT = 4000

function watched(machine: Machine, delivery: 'idt' | 'fred'): Watched {
  const guest = new PvGuest(machine, { revision: 'rfc', delivery, cmdline: 'cet=no-ibt' })
  initialise(guest)
  markNeighbours(guest)
  const before = machine.snapshot()
  const watch = new Watch(guest, before)
  guest.afterStep = watch.afterStep
  guest.stepLimit = STEP_LIMIT
  return { guest, before, watch }
}

const SET_TRAP_TABLE = 0
const CALLBACK_OP = 30

/**
 * Whether a program may have handlers where nobody looks: what the CPU shows then goes unnoticed until the guest does something
 * else because of it, and is not told from a broken promise.
 */
const hasOwnHandlers = ({ before }: GuestProgram): boolean =>
  before.some(
    (step) => step.op === 'context' || (step.op === 'hypercall' && [SET_TRAP_TABLE, CALLBACK_OP].includes(step.number)),
  )

/** A difference that the promise does not leave out, in words; null for one that the CPU shows. */
function broken(divergence: Divergence): string | null {
  if (!breaksPromise(divergence)) return null
  const shown = printDifferences(divergence).map(
    ([name, idt, fred]) => `${name} ${idt} under the IDT, ${fred} under FRED`,
  )
  return `the guest can tell the delivery: ${shown.slice(0, 3).join('; ')}`
}

const XEN_CS = 0xe008

/** What of Xen a guest may want to get at: the first and some later address of each of its areas. */
function targetsOf(guest: PvGuest): Targets {
  const areas = guest.boot.areas?.host ?? []
  return {
    addresses: areas.flatMap(({ address, bytes }) => [address + 0x800n, address + BigInt(bytes) - 0x80n]),
    selectors: [XEN_CS, 0xe033, 0xe00b, 0xe02b, 0x83, 0x80],
  }
}

/** A finding for people: what, and the program. */
export const printFinding = ({ what, delivery }: Finding, program: GuestProgram): string[] => [
  delivery === 'both' ? what : `${what} (${delivery})`,
  ...printProgram(program).map((line) => `    ${line}`),
]
