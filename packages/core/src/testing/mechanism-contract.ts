import type { Cpu } from '../cpu/cpu.js'
import { deliverEvent } from '../event/deliver.js'
import { type CpuEvent, eventName, VECTOR_DF } from '../event/event.js'
import type { Machine } from '../machine/machine.js'
import { packSnapshot, unpackSnapshot } from '../machine/portable-snapshot.js'
import { MECHANISMS } from '../plugin/plugin.js'
import { dplOf, rplOf } from '../segment/descriptor.js'
import {
  CPL,
  CR2,
  CS,
  DR6,
  DR7,
  MCG_STATUS,
  PENDING_DEBUG,
  RFLAGS,
  RIP,
  RSP,
  SS,
  SSP,
  STATUS,
  segmentSlot,
} from '../state/registers.js'
import { RF } from '../state/rflags.js'
import { type ContractCheck, type ContractOptions, contract, must } from './contract.js'
import { attempt, CONTRACT_EVENTS, damagesFor, derivedOf, pagesOf, placeRip } from './delivery-attempt.js'

/** A machine on which a mechanism is judged. */
export interface MechanismSetUp {
  /** The mechanism is active on its boot CPU; tables, stacks and handlers are as deliveries need them. */
  readonly machine: Machine
  /** States to deliver from, by name, one at CPL 3 among them; `boot.sites` of a host fits. */
  readonly places: Readonly<Record<string, { enter(cpu: Cpu): void }>>
}

/** What the contract of a delivery mechanism is checked on. */
export interface MechanismContract extends ContractOptions {
  /** Its name in the slot `MECHANISMS`. */
  readonly mechanism: string
  /** Makes the machine. Called several times: each call gives another machine, equal to the first. */
  setUp(): MechanismSetUp
  /** The events; left out, {@link CONTRACT_EVENTS}. */
  readonly events?: readonly CpuEvent[]
  /**
   * Leaves the handler that an event has just reached; left out, the handlers' own code is stepped through until the CPU
   * is back where it was interrupted, which needs a decoder and handlers that return.
   */
  comeBack?(machine: Machine): void
  /** Events from which a handler can come back; left out, all but #DF. */
  returns?(event: CpuEvent): boolean
}

/** More steps than any handler takes that does nothing. */
const MOST_STEPS = 10_000

/**
 * What a delivery mechanism owes: it commits completely or throws a Fault with every register as it was; delivering and
 * returning is the identity; nothing of ring 0 is left at CPL 3; snapshots hold all that it knows.
 */
export function mechanismContract(options: MechanismContract): readonly ContractCheck[] {
  const { mechanism, events = CONTRACT_EVENTS } = options
  const returns = options.returns ?? (({ vector, type }: CpuEvent) => type < 3 || vector !== VECTOR_DF)

  /** Every event at every place, from one state. */
  const eachCase = (visit: (one: Case) => void): void => {
    const { machine, places } = options.setUp()
    const pristine = machine.snapshot()
    for (const [place, { enter }] of Object.entries(places)) {
      for (const event of events) {
        const prepare = (): Cpu => {
          machine.restore(pristine)
          enter(machine.cpu)
          return machine.cpu
        }
        prepare()
        visit({ machine, event, prepare, name: `${eventName(event)} at ${place}` })
      }
    }
  }

  return contract(
    [
      [
        'active',
        'the mechanism is the one that is active, and no other answers to the same control bits',
        () => {
          const { machine } = options.setUp()
          const all = machine.contributions(MECHANISMS).map(({ value }) => value)
          const own = all.find(({ name }) => name === mechanism)
          must(own !== undefined, `no plugin contributes the mechanism "${mechanism}"`)
          const { cr4, efer } = machine.cpu
          must(machine.cpu.mechanism === own, `"${machine.cpu.mechanism?.name}" is active, and not "${mechanism}"`)
          const answering = all.filter(
            ({ fallback = false, activeWhen }) =>
              !fallback &&
              (activeWhen.cr4 === undefined || (cr4 & activeWhen.cr4.mask) === activeWhen.cr4.value) &&
              (activeWhen.efer === undefined || (efer & activeWhen.efer.mask) === activeWhen.efer.value),
          )
          const names = answering.map(({ name }) => name).join(', ')
          must(answering.length === (own.fallback ? 0 : 1), `under these control bits answer: ${names}`)
        },
      ],
      [
        'places',
        'events are delivered from CPL 3 and from CPL 0',
        () => {
          const { machine, places } = options.setUp()
          const levels = Object.values(places).map(({ enter }) => {
            enter(machine.cpu)
            return machine.cpu.cpl
          })
          must(levels.includes(3) && levels.includes(0), `the places are at CPL ${levels.join(', ')}`)
        },
      ],
      [
        'delivers',
        'every event is delivered, and the CPU does not shut down',
        () =>
          eachCase(({ machine, event, prepare, name }) => {
            const cpu = prepare()
            const by: string[] = []
            const unobserve = machine.observe({ delivered: (_cpu, _event, who) => void by.push(who) })
            placeRip(cpu, event)
            deliverEvent(cpu, event)
            unobserve()
            must(!cpu.isShutdown, `${name}: the CPU shut down`)
            must(by.length === 1 && by[0] === mechanism, `${name}: delivered by ${by.join(', ') || 'nobody'}`)
            must(cpu.mechanism?.name === mechanism, `${name}: "${cpu.mechanism?.name}" is active afterwards`)
          }),
      ],
      [
        'all-or-nothing',
        'a delivery commits, or throws a Fault and leaves every register as it was, whatever memory it cannot use',
        () =>
          eachCase(({ machine, event, prepare, name }) => {
            const damages = [
              { name: 'nothing wrong', apply: () => undefined },
              ...damagesFor(pagesOf(machine, prepare(), event)),
            ]
            for (const damage of damages) {
              const cpu = prepare()
              damage.apply(cpu)
              placeRip(cpu, event)
              const before = cpu.words.slice()
              const derived = derivedOf(cpu)
              if (attempt(cpu, event) === null) continue
              const changed = before.findIndex((word, slot) => word !== cpu.words[slot])
              must(changed < 0, () => `${name}, ${damage.name}: it threw, and word ${changed} of the CPU is another`)
              const stale = derivedOf(cpu).some((value, i) => value !== derived[i])
              must(!stale, `${name}, ${damage.name}: it threw, and what is derived from the registers is another`)
            }
          }),
      ],
      [
        'blocking',
        'blocking and pending events are left to core',
        () =>
          eachCase(({ event, prepare, name }) => {
            const cpu = prepare()
            placeRip(cpu, event)
            const before = cpu.words[STATUS]
            attempt(cpu, event)
            must(cpu.words[STATUS] === before, `${name}: the STATUS word is another`)
          }),
      ],
      [
        'privilege',
        'an event never leaves a half-changed CPU: CPL, CS and SS agree, and a CPU that shuts down keeps what it was doing',
        () =>
          eachCase(({ machine, event, prepare, name }) => {
            const damages = [
              { name: 'nothing wrong', apply: () => undefined },
              ...damagesFor(pagesOf(machine, prepare(), event)),
            ]
            for (const damage of damages) {
              const cpu = prepare()
              damage.apply(cpu)
              const kept = stateKept(cpu)
              placeRip(cpu, event)
              deliverEvent(cpu, event)
              const where = `${name}, ${damage.name}`
              if (cpu.isShutdown) {
                const lost = stateKept(cpu).some((word, i) => word !== kept[i])
                must(!lost, `${where}: shutdown with another RIP, RSP, CPL or segment`)
                continue
              }
              const cs = cpu.segment(CS)
              const ss = cpu.segment(SS)
              must(rplOf(cs.selector) === cpu.cpl, `${where}: CPL ${cpu.cpl} with CS 0x${cs.selector.toString(16)}`)
              must(rplOf(ss.selector) === cpu.cpl, `${where}: CPL ${cpu.cpl} with SS 0x${ss.selector.toString(16)}`)
              must(dplOf(ss.access) === cpu.cpl, `${where}: CPL ${cpu.cpl} with an SS of DPL ${dplOf(ss.access)}`)
            }
          }),
      ],
      [
        'round-trip',
        'to deliver and to return is the identity: registers, segments, GS bases and shadow-stack pointer are as before (A16)',
        () => {
          let came = 0
          eachCase(({ machine, event, prepare, name }) => {
            if (!returns(event)) return
            const cpu = prepare()
            placeRip(cpu, event)
            const before = withoutTraces(cpu)
            const { rip, cpl } = cpu
            const start = rip - BigInt(event.length)
            deliverEvent(cpu, event)
            if (options.comeBack) options.comeBack(machine)
            else stepBack(cpu, cpl, [rip, start], name)
            // An instruction's event that was refused comes back as the fault of the instruction: to the instruction.
            if (cpu.rip === start) cpu.rip = rip
            const after = withoutTraces(cpu)
            const changed = before.findIndex((word, slot) => word !== after[slot])
            must(changed < 0, () => `${name}: word ${changed} of the CPU is another after the return`)
            came++
          })
          must(came > 0, 'no event comes back: say by `returns` which do')
        },
      ],
      [
        'snapshot',
        'a delivery from a restored state is the same, byte for byte, and on another machine too: nothing is kept outside of the state',
        () => {
          const other = options.setUp().machine
          eachCase(({ machine, event, prepare, name }) => {
            const cpu = prepare()
            const before = machine.snapshot()
            const deliver = (on: Cpu): void => {
              placeRip(on, event)
              deliverEvent(on, event)
            }
            deliver(cpu)
            const after = machine.snapshot()
            machine.restore(before)
            deliver(cpu)
            must(machine.equals(after), `${name}: the second time it came out otherwise`)
            other.restore(unpackSnapshot(other, packSnapshot(machine, before)))
            deliver(other.cpu)
            must(other.hash() === machine.hash(), `${name}: on another machine it came out otherwise`)
          })
        },
      ],
    ],
    options,
  )
}

interface Case {
  readonly machine: Machine
  readonly event: CpuEvent
  /** Goes back to the place, undamaged. */
  prepare(): Cpu
  /** `NMI at guest`. */
  readonly name: string
}

/** What a CPU that shuts down was doing. */
const stateKept = ({ words }: Cpu): readonly number[] =>
  [RIP, RIP + 1, RSP, RSP + 1, CPL, segmentSlot(CS), segmentSlot(SS)].map((slot) => words[slot]!)

/** Steps until the CPU is back in one of two places. */
function stepBack(cpu: Cpu, cpl: number, rips: readonly bigint[], name: string): void {
  for (let n = 0; n < MOST_STEPS; n++) {
    if (cpu.cpl === cpl && rips.includes(cpu.rip)) return
    const result = cpu.machine.step(cpu.id)
    must(!cpu.isShutdown && !cpu.halted, `${name}: on the way back the CPU stopped ("${result}")`)
  }
  must(false, `${name}: after ${MOST_STEPS} steps the CPU is not back`)
}

/**
 * The registers without what a handler that looks at nothing leaves behind: RF of faults, the registers that describe the
 * event, and an SSP in ring 3 where there is no user shadow stack.
 */
function withoutTraces(cpu: Cpu): Int32Array {
  const words = cpu.words.slice()
  for (const slot of [CR2, CR2 + 1, DR6, DR7, PENDING_DEBUG, MCG_STATUS]) words[slot] = 0
  if (cpu.cpl === 3 && !cpu.userShadowStack) words[SSP] = words[SSP + 1] = 0
  words[RFLAGS] = words[RFLAGS]! & ~RF
  return words
}
