import { type Cpu, EXTERNAL_INTERRUPT, eventName, UnsupportedError } from '@trapframe/core'
import { apicMode } from './mode.js'
import { INVERTED_DFR, LDR, localApic } from './region.js'

/** Delivery modes of a command and of a local vector table entry (bits 10:8). */
export const FIXED = 0
const LOWEST_PRIORITY = 1
const SMI = 2
export const NMI_MODE = 4
export const INIT = 5
export const STARTUP = 6

const MODE_NAMES: Readonly<Record<number, string>> = { [LOWEST_PRIORITY]: 'lowest priority', [SMI]: 'SMI' }

const LOGICAL = 1 << 11
/** Delivery status, which only xAPIC mode has: the message is on its way. */
export const SEND_PENDING = 1 << 12
const ASSERT = 1 << 14
const LEVEL = 1 << 15
/** Destination shorthand, bits 19:18. */
const SHORTHAND_SHIFT = 18
const SELF = 1
const ALL = 2
const OTHERS = 3

/** Bits of the low half of a command that x2APIC mode does not have. */
export const COMMAND_RESERVED = 0xfff3_3000

export const modeOf = (command: number): number => (command >>> 8) & 7
export const vectorOf = (command: number): number => command & 0xff

/** INIT level de-assert, which CPUs since the Pentium 4 ignore. */
export const isDeassert = (command: number): boolean =>
  modeOf(command) === INIT && (command & (LEVEL | ASSERT)) === LEVEL

/** What a person calls the message of a command. */
export function messageName(command: number): string {
  const vector = vectorOf(command)
  switch (modeOf(command)) {
    case NMI_MODE:
      return 'NMI'
    case INIT:
      return 'INIT'
    case STARTUP:
      return `SIPI 0x${vector.toString(16).padStart(2, '0')}`
    default:
      return eventName({ type: EXTERNAL_INTERRUPT, vector })
  }
}

/** The ID by which messages find a CPU. */
export const apicId = (cpu: Cpu): number => cpu.id

/** The logical ID of x2APIC mode: cluster and place in it, which follow from the ID (SDM 3A "Logical Destination Mode in x2APIC Mode"). */
export function logicalX2apicId(cpu: Cpu): number {
  const id = apicId(cpu)
  return ((id >>> 4) << 16) | (1 << (id & 15))
}

/**
 * The CPUs that a command is for (SDM 3A "Determining IPI Destination"), rising. A disabled local APIC hears nothing.
 *
 * @param destination 8 bits in xAPIC mode, 32 in x2APIC mode
 * @throws UnsupportedError for delivery modes that are not modelled, and those that the manual calls invalid for a shorthand
 */
export function destinations(sender: Cpu, command: number, destination: number): Cpu[] {
  const mode = modeOf(command)
  if (mode !== FIXED && mode !== NMI_MODE && mode !== INIT && mode !== STARTUP) {
    throw new UnsupportedError('event', `an IPI of delivery mode ${MODE_NAMES[mode] ?? mode} is not modelled`)
  }
  const shorthand = (command >>> SHORTHAND_SHIFT) & 3
  if ((shorthand === SELF || shorthand === ALL) && mode !== FIXED) {
    throw new UnsupportedError('event', `${messageName(command)} is sent by a shorthand that includes the sender`, {
      hint: 'the manual calls this combination invalid and does not say what it does',
    })
  }
  const broadcast = apicMode(sender) === 'x2apic' ? -1 : 0xff
  return sender.machine.cpus.filter((cpu) => {
    if (apicMode(cpu) === 'disabled') return false
    switch (shorthand) {
      case SELF:
        return cpu === sender
      case ALL:
        return true
      case OTHERS:
        return cpu !== sender
      default:
        if ((destination | 0) === broadcast) return true
        return (command & LOGICAL) === 0 ? apicId(cpu) === destination >>> 0 : hasLogicalId(cpu, destination)
    }
  })
}

/** Whether a logical destination means a CPU: by cluster, or in xAPIC mode by the format that its DFR says. */
function hasLogicalId(cpu: Cpu, destination: number): boolean {
  if (apicMode(cpu) === 'x2apic') {
    const id = logicalX2apicId(cpu)
    return id >>> 16 === destination >>> 16 && (id & destination & 0xffff) !== 0
  }
  const slot = localApic(cpu)
  const id = cpu.words[slot + LDR]! >>> 24
  const flat = cpu.words[slot + INVERTED_DFR]! >>> 28 === 0
  if (flat) return (id & destination & 0xff) !== 0
  const cluster = (destination >>> 4) & 0xf
  return (cluster === 0xf || id >>> 4 === cluster) && (id & destination & 0xf) !== 0
}
