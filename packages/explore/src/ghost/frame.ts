import type { Cpu, EventType } from '@trapframe/core'
import {
  ADDRESS,
  BYTES,
  CLOBBERED,
  CLOBBERED_ADDRESS,
  CLOBBERED_AT,
  CLOBBERED_BY,
  CLOBBERED_BY_CPU,
  CLOBBERED_EVENT,
  CLOBBERED_RIP,
  COUNT,
  CPL,
  CURRENT,
  ENDED,
  EVENT,
  EVENT_NESTED,
  FRESH,
  ghostSlot,
  HANDLER,
  HARMED,
  LEFT,
  LEVEL,
  OVERFLOW,
  PARENT,
  RIP,
  RSP,
  STATE,
} from './region.js'
import { frameAt } from './table.js'

/** What was delivered. */
export interface FrameEvent {
  readonly type: EventType
  /** 0–255. */
  readonly vector: number
  /** It was met while another event was delivered. */
  readonly nested: boolean
}

/** A frame that an event left on a stack and no return has consumed. */
export interface LiveFrame {
  /** Lowest byte. */
  readonly address: bigint
  readonly bytes: number
  readonly event: FrameEvent
  /** What the event interrupted, as it was before the delivery. */
  readonly interrupted: {
    readonly rip: bigint
    readonly rsp: bigint
    readonly cpl: number
    /** 0–3; 0 from CPL 3 and where there are no stack levels. */
    readonly stackLevel: number
  }
  /** First instruction of its handler. */
  readonly handler: bigint
  /** The frame whose handler it interrupted, by its place in the list; null for none. */
  readonly parent: number | null
  /** Its handler is what the CPU runs now. */
  readonly running: boolean
  /** Its handler went on with another stack. */
  readonly left: boolean
  /** Bytes of it were overwritten while they were needed. */
  readonly clobbered: boolean
}

/** Bytes of a live frame that somebody overwrote. */
export interface Clobber {
  /** The event of the frame that lost bytes, and its lowest byte. */
  readonly event: FrameEvent
  readonly address: bigint
  /** The event whose delivery did it, or null for software. */
  readonly by: FrameEvent | null
  /** Number of the CPU that wrote, and where. */
  readonly cpu: number
  readonly at: bigint
  /** The instruction that wrote, or that the event interrupted. */
  readonly rip: bigint
}

/**
 * The live frames of a CPU, oldest first. At most 16 are kept; {@link framesForgotten} says whether that was enough.
 *
 * @throws MachineError on a machine without the plugin `explore`
 */
export function liveFrames(cpu: Cpu): readonly LiveFrame[] {
  return framesWhere(cpu, (state) => (state & ENDED) === 0)
}

/** Whether more events were nested than the table holds, so that live frames were forgotten. */
export function framesForgotten(cpu: Cpu): boolean {
  return cpu.words[ghostSlot(cpu) + OVERFLOW] !== 0
}

/** Frames whose state satisfies a condition, oldest first. */
export function framesWhere(cpu: Cpu, condition: (state: number) => boolean): readonly LiveFrame[] {
  const { words } = cpu
  const ghost = ghostSlot(cpu)
  const numbers: number[] = []
  for (let n = 1; n <= words[ghost + COUNT]!; n++) {
    if (condition(words[frameAt(ghost, n) + STATE]!)) numbers.push(n)
  }
  return numbers.map((n) => {
    const frame = frameAt(ghost, n)
    const state = words[frame + STATE]!
    const parent = numbers.indexOf(words[frame + PARENT]!)
    return {
      address: cpu.get64(frame + ADDRESS),
      bytes: words[frame + BYTES]!,
      event: eventOf(words[frame + EVENT]!),
      interrupted: {
        rip: cpu.get64(frame + RIP),
        rsp: cpu.get64(frame + RSP),
        cpl: words[frame + CPL]!,
        stackLevel: words[frame + LEVEL]!,
      },
      handler: cpu.get64(frame + HANDLER),
      parent: parent < 0 ? null : parent,
      running: words[ghost + CURRENT] === n,
      left: (state & LEFT) !== 0,
      clobbered: (state & HARMED) !== 0,
    }
  })
}

/** Frames that were live when the ghost state was last checked. */
export const framesBefore = (cpu: Cpu): readonly LiveFrame[] => framesWhere(cpu, (state) => (state & FRESH) === 0)

/** Frames of the events delivered since the last check, those that have ended again included. */
export const framesDelivered = (cpu: Cpu): readonly LiveFrame[] => framesWhere(cpu, (state) => (state & FRESH) !== 0)

/** The first clobber of a frame of this CPU since the last check. */
export function clobberOf(cpu: Cpu): Clobber | null {
  const { words } = cpu
  const ghost = ghostSlot(cpu)
  if (words[ghost + CLOBBERED] === 0) return null
  const by = words[ghost + CLOBBERED_BY]!
  return {
    event: eventOf(words[ghost + CLOBBERED_EVENT]!),
    address: cpu.get64(ghost + CLOBBERED_ADDRESS),
    by: by === 0 ? null : eventOf(by - 1),
    cpu: words[ghost + CLOBBERED_BY_CPU]!,
    at: cpu.get64(ghost + CLOBBERED_AT),
    rip: cpu.get64(ghost + CLOBBERED_RIP),
  }
}

/** What a word of the ghost state says was delivered. */
export const eventOf = (word: number): FrameEvent => ({
  type: ((word >>> 8) & 7) as EventType,
  vector: word & 0xff,
  nested: (word & EVENT_NESTED) !== 0,
})
