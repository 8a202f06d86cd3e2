import {
  ARRIVING,
  type Cpu,
  type HappeningSource,
  type Machine,
  pendNmi,
  STATUS,
  UnsupportedError,
} from '@trapframe/core'
import { destinations, FIXED, INIT, isDeassert, messageName, modeOf, NMI_MODE, vectorOf } from './command.js'
import { FIRST_VECTOR, noteError, requestInterrupt, SEND_ILLEGAL_VECTOR } from './interrupts.js'
import { apicMode } from './mode.js'
import { ARRIVALS, ICR, localApic, SENT, slotOf, WAITED_FOR } from './region.js'
import { enterWaitForSipi, startUp } from './startup.js'

/**
 * Interprocessor interrupts between sending and acceptance. The sender holds the message, and who has not accepted it.
 * What a CPU sends to itself is accepted at once.
 */

/**
 * When messages arrive.
 *
 * - `at-step`: at the next step of the CPU that they are for, before anything else. The schedule of steps decides.
 * - `chosen`: when somebody makes it happen, for `choices` lists each arrival as `ipi 0>1`. CPUs go on meanwhile, so that
 *   every delay can be tried.
 */
export type Arrivals = 'at-step' | 'chosen'

/** Says when messages arrive; part of the state. What is on its way already arrives in the new manner. */
export function setArrivals(machine: Machine, arrivals: Arrivals): void {
  machine.words[slotOf(machine, ARRIVALS)] = arrivals === 'chosen' ? 1 : 0
  for (const { to } of inFlight(machine)) setArriving(machine.cpus[to]!, arrivals === 'at-step')
}

const areChosen = (machine: Machine): boolean => machine.words[slotOf(machine, ARRIVALS)] !== 0

/** When messages arrive on a machine. */
export const arrivalsOf = (machine: Machine): Arrivals => (areChosen(machine) ? 'chosen' : 'at-step')

function setArriving(cpu: Cpu, arriving: boolean): void {
  const status = cpu.words[STATUS]!
  cpu.words[STATUS] = arriving ? status | ARRIVING : status & ~ARRIVING
}

/** A message on its way. */
export interface Flight {
  readonly from: number
  readonly to: number
  readonly what: string
}

const waitsFor = (from: Cpu, to: number): boolean =>
  (from.words[localApic(from) + WAITED_FOR + (to >>> 5)]! & (1 << (to & 31))) !== 0

const isAwaited = (to: Cpu): boolean => to.machine.cpus.some((from) => waitsFor(from, to.id))

/** Low half of the interrupt command register: the last command of a CPU, 0 before the first one. */
export const lastCommand = (cpu: Cpu): number => cpu.words[localApic(cpu) + ICR]!

/** Every message that was sent and not accepted, by sender and receiver. */
export function inFlight(machine: Machine): Flight[] {
  if (!machine.cpus.some(isSending)) return []
  return machine.cpus.filter(isSending).flatMap((sender) => {
    const what = messageName(sender.words[localApic(sender) + SENT]!)
    const receivers = machine.cpus.filter(({ id }) => waitsFor(sender, id))
    return receivers.map(({ id }) => ({ from: sender.id, to: id, what }))
  })
}

/** Whether a message of a CPU has not been accepted by everybody: what the delivery status of xAPIC mode says. */
export function isSending(cpu: Cpu): boolean {
  const at = localApic(cpu) + WAITED_FOR
  return (cpu.words[at]! | cpu.words[at + 1]!) !== 0
}

/**
 * Sends what a command says.
 *
 * In x2APIC mode, where software need not wait, an earlier message arrives before the next one leaves: a local APIC has one
 * under way.
 *
 * @throws UnsupportedError for a command while the earlier one is pending in xAPIC mode, and see {@link destinations}
 */
export function send(cpu: Cpu, command: number, destination: number): void {
  const { machine, words } = cpu
  const slot = localApic(cpu)
  const receivers = destinations(cpu, command, destination)
  if (isSending(cpu) && apicMode(cpu) === 'xapic') {
    throw new UnsupportedError('instruction', 'an IPI is sent while the one before it is still pending', {
      hint: 'software waits for ICR bit 12 first; the manual does not say what becomes of either IPI',
    })
  }
  for (const { from, to } of inFlight(machine)) if (from === cpu.id) accept(cpu, machine.cpus[to]!)
  if (isDeassert(command)) return
  if (modeOf(command) === FIXED && vectorOf(command) < FIRST_VECTOR) {
    noteError(cpu, SEND_ILLEGAL_VECTOR)
    return
  }
  cpu.observer?.ipi?.(cpu, {
    stage: 'sent',
    from: cpu.id,
    to: receivers.map(({ id }) => id),
    what: messageName(command),
  })
  words[slot + SENT] = command
  for (const { id } of receivers) {
    const at = slot + WAITED_FOR + (id >>> 5)
    words[at] = words[at]! | (1 << (id & 31))
  }
  for (const receiver of receivers) {
    if (receiver === cpu) accept(cpu, cpu)
    else setArriving(receiver, !areChosen(machine))
  }
}

/** A CPU accepts the message of another, which is then no longer under way to it. Nothing where there is none. */
export function acceptIpi(machine: Machine, from: number, to: number): void {
  if (waitsFor(machine.cpus[from]!, to)) accept(machine.cpus[from]!, machine.cpus[to]!)
}

/** A CPU accepts everything that is on its way to it. */
export function acceptAll(cpu: Cpu): void {
  for (const sender of cpu.machine.cpus) if (waitsFor(sender, cpu.id)) accept(sender, cpu)
}

function accept(sender: Cpu, receiver: Cpu): void {
  const slot = localApic(sender)
  const { words } = sender
  const command = words[slot + SENT]!
  const at = slot + WAITED_FOR + (receiver.id >>> 5)
  words[at] = words[at]! & ~(1 << (receiver.id & 31))
  if (!isSending(sender)) words[slot + SENT] = 0
  if (!isAwaited(receiver)) setArriving(receiver, false)
  if (apicMode(receiver) === 'disabled' || !take(receiver, command)) return
  receiver.observer?.ipi?.(receiver, {
    stage: 'accepted',
    from: sender.id,
    to: [receiver.id],
    what: messageName(command),
  })
}

/** What a message does to its receiver; whether it did anything. NMI, INIT and SIPI come through software disable. */
function take(receiver: Cpu, command: number): boolean {
  switch (modeOf(command)) {
    case NMI_MODE:
      pendNmi(receiver)
      return true
    case FIXED:
      return requestInterrupt(receiver, vectorOf(command))
    case INIT:
      enterWaitForSipi(receiver)
      return true
    default:
      return startUp(receiver, vectorOf(command))
  }
}

const nameOf = ({ from, to }: Flight): string => `ipi ${from}>${to}`

/** Arrivals as happenings, while they are chosen. */
export const ARRIVAL_HAPPENINGS: HappeningSource = {
  enabled: (machine) => (areChosen(machine) ? inFlight(machine).map(nameOf) : []),
  happen(machine, name) {
    for (const flight of inFlight(machine)) if (nameOf(flight) === name) acceptIpi(machine, flight.from, flight.to)
  },
}
