import type { Boot, Machine } from '@trapframe/core'
import { type ContractCheck, ContractError, type ContractOptions, contract } from '@trapframe/core/testing'
import { INVARIANTS, type Invariant, type Violation } from '../invariant/invariant.js'
import { Judge } from '../invariant/judge.js'

/** A booted machine on which an invariant is judged. */
export interface InvariantSetUp {
  /** With `explore()` and the plugin that contributes the invariant. */
  readonly machine: Machine
  readonly boot: Boot
}

export interface InvariantContract extends ContractOptions {
  /** Its name in the slot `INVARIANTS`. */
  readonly invariant: string
  /** Makes a machine. Called several times: each is equal to the first. */
  setUp(): InvariantSetUp
  /** Does what the invariant must find: steps, deliveries, or a change of the machine's state. */
  violate(setUp: InvariantSetUp): void
  /** Does what looks like it and is allowed; left out, the machine as it was booted is what is allowed. */
  obey?(setUp: InvariantSetUp): void
}

/**
 * What an invariant owes: it is silent where nothing is wrong, finds what its author says it finds, changes nothing, and
 * keeps nothing outside of the machine's state.
 */
export function invariantContract(options: InvariantContract): readonly ContractCheck[] {
  const { invariant, setUp, violate, obey } = options
  const made = (): Judged => new Judged(setUp(), invariant)

  return contract(
    [
      [
        'listed',
        'the invariant has a name and a sentence for listings',
        () => {
          const { found } = made()
          must(found.name === invariant, `it is in the slot as "${invariant}", and calls itself "${found.name}"`)
          must(found.summary.trim() !== '', 'it has no summary')
        },
      ],
      [
        'silent',
        'it finds nothing where nothing is wrong',
        () => {
          const judged = made()
          const first = judged.judge()
          must(first.length === 0, `on a machine that was just booted: ${words(first)}`)
          judged.settle()
          if (obey === undefined) return
          obey(judged.setUp)
          const found = judged.judge()
          must(found.length === 0, `after what is allowed: ${words(found)}`)
        },
      ],
      [
        'finds',
        'it finds the violation that was seeded, and says so in one line',
        () => {
          const judged = made()
          judged.settle()
          violate(judged.setUp)
          const found = judged.judge()
          must(found.length > 0, 'it found nothing')
          for (const { invariant: name, message, cpu } of found) {
            must(name === invariant, `it reports as "${name}"`)
            must(message.trim() !== '' && !message.includes('\n'), `its message is "${message}"`)
            must(judged.setUp.machine.cpus[cpu] !== undefined, `it names CPU ${cpu}, which is not there`)
          }
        },
      ],
      [
        'pure',
        'it changes nothing, and answers the same when it is asked again',
        () => {
          const judged = made()
          judged.settle()
          for (const act of [() => undefined, violate]) {
            act(judged.setUp)
            const before = judged.setUp.machine.snapshot()
            const first = words(judged.judge())
            must(judged.setUp.machine.equals(before), 'the machine is another after it was judged')
            const second = words(judged.judge())
            must(first === second, `it said "${first}", and asked again "${second}"`)
          }
        },
      ],
      [
        'restored',
        'after a restore, and on another machine, it finds the same: what it remembers is in the state',
        () => {
          const judged = made()
          judged.settle()
          const before = judged.setUp.machine.snapshot()
          violate(judged.setUp)
          const first = words(judged.judge())
          judged.settle()
          judged.setUp.machine.restore(before)
          must(judged.judge().length === 0, `after the restore it still finds: ${words(judged.judge())}`)
          violate(judged.setUp)
          const again = words(judged.judge())
          must(first === again, `it said "${first}", and after a restore "${again}"`)
          const other = made()
          other.settle()
          violate(other.setUp)
          const elsewhere = words(other.judge())
          must(first === elsewhere, `it said "${first}", and on another machine "${elsewhere}"`)
        },
      ],
    ],
    options,
  )
}

/** A machine with a judge that asks one invariant. */
class Judged {
  readonly setUp: InvariantSetUp
  readonly found: Invariant
  readonly #judge: Judge

  constructor(setUp: InvariantSetUp, name: string) {
    const { machine, boot } = setUp
    this.setUp = setUp
    const found = machine.contributions(INVARIANTS).find((one) => one.name === name)
    if (found === undefined) throw new ContractError(`no plugin contributes the invariant "${name}"`)
    this.found = found.value
    this.#judge = new Judge(machine, boot, [found.value.name])
  }

  judge(): readonly Violation[] {
    this.#judge.readStacksAgain()
    return this.#judge.judge()
  }

  settle(): void {
    this.#judge.settle()
  }
}

const words = (found: readonly Violation[]): string =>
  found.map(({ message, cpu }) => `${message} (CPU ${cpu})`).join('; ') || 'nothing'

function must(holds: boolean, message: string): asserts holds {
  if (!holds) throw new ContractError(message)
}
