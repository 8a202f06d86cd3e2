import type { Cpu, RegionDeclaration } from '@trapframe/core'
import { MachineError } from '@trapframe/core'

/**
 * Where the ghost state of a CPU lies: a declared region, so that snapshots, restores and hashes carry it like the
 * architectural state. All offsets are 32-bit words from the start of the region; 64-bit values are low half, high half.
 *
 * First a header, then a table of frames in the order of their delivery, then notes on the step. What an earlier step left for nobody is zero,
 * so that equal states have equal bytes.
 */

/** Frames that the table holds. When it is full the oldest one is forgotten and {@link OVERFLOW} is set. */
export const FRAME_CAPACITY = 16

/** Number of frames in the table. */
export const COUNT = 0
/** 1 once a live frame had to be forgotten. */
export const OVERFLOW = 1
/** Number of the frame whose handler runs, counted from 1; 0 outside of handlers. */
export const CURRENT = 2

/** 1 where anything was noted in this step; without it all notes are zero. */
export const NOTED = 3

/** The table of frames. */
const FRAMES = 4
export const FRAME_WORDS = 20

/** First of the words that hold what is noted during one step. */
export const STEP_NOTES = FRAMES + FRAME_CAPACITY * FRAME_WORDS
/** Event that is being delivered: type and vector as in {@link EVENT}. */
export const DELIVERING = STEP_NOTES + 0
/** SSP when the last instruction began: which shadow stack a handler has left. */
export const INSTRUCTION_SSP = STEP_NOTES + 2
/** RIP, RSP, CPL and stack level when its delivery began. */
export const BEFORE_RIP = STEP_NOTES + 4
export const BEFORE_RSP = STEP_NOTES + 6
export const BEFORE_CPL = STEP_NOTES + 8
export const BEFORE_LEVEL = STEP_NOTES + 9
/** RSP when the last instruction began: where a return found its frame. */
export const INSTRUCTION_RSP = STEP_NOTES + 10

/** The first clobber since the last check: 1 if there was one. */
export const CLOBBERED = STEP_NOTES + 12
/** Event of the frame that lost bytes, and where it lies. */
export const CLOBBERED_EVENT = STEP_NOTES + 13
export const CLOBBERED_ADDRESS = STEP_NOTES + 14
/** What overwrote it: 0 software, otherwise 1 + type and vector of the event whose delivery did. */
export const CLOBBERED_BY = STEP_NOTES + 16
/** Number of the CPU that wrote. */
export const CLOBBERED_BY_CPU = STEP_NOTES + 17
/** Where it wrote. */
export const CLOBBERED_AT = STEP_NOTES + 18
/** RIP of the instruction that wrote, or that the event interrupted. */
export const CLOBBERED_RIP = STEP_NOTES + 20

/** What a delivery has written so far: runs of bytes, first address and length; and how many runs. */
export const RUN_CAPACITY = 8
export const RUNS = STEP_NOTES + 22
export const RUN_TABLE = STEP_NOTES + 24
export const RUN_WORDS = 4
export const RUN_BYTES = 2

/** What invariants want to know about the step, in words of {@link DELIVERING}'s life: zero again once it is checked. */
const NOTES = RUN_TABLE + RUN_CAPACITY * RUN_WORDS
/** 1 + CPL at which an instruction began; 0 when none did. */
export const INSTRUCTION_CPL = NOTES
/** Number of the frame that a return consumed, counted from 1. */
export const RETURNED = NOTES + 1
/** Checksum of what an event interrupts when its delivery begins, its RFLAGS and its SSP. */
export const BEFORE_CONTEXT = NOTES + 2
export const BEFORE_FLAGS = NOTES + 3
export const BEFORE_SSP = NOTES + 4
/** 1 if an instruction at CPL 0–2 used memory through GS, and the base that it had. */
export const GS_USED = NOTES + 6
export const GS_USED_BASE = NOTES + 8
/** 1 if the CPU shut down, and the event whose delivery ended so is {@link DELIVERING}. */
export const SHUT_DOWN = NOTES + 7
/** What software at CPL 3 wrote: runs as above. */
export const USER_RUN_CAPACITY = 4
export const USER_RUNS = NOTES + 10
export const USER_RUN_TABLE = NOTES + 12
/** 1 + number of the CPU that wrote memory which must not change any more; where, and at which RIP. */
export const FROZEN = USER_RUN_TABLE + USER_RUN_CAPACITY * RUN_WORDS
export const FROZEN_AT = FROZEN + 2
export const FROZEN_RIP = FROZEN + 4

export const GHOST_END = FROZEN + 6

/** Lowest byte of the frame, and its length in bytes. */
export const ADDRESS = 0
export const BYTES = 2
/** Type of the event in bits 15:8, vector in 7:0, bit 16 where it was nested. */
export const EVENT = 3
export const EVENT_NESTED = 1 << 16
/** What the event interrupted. */
export const RIP = 4
export const RSP = 6
export const CPL = 8
export const LEVEL = 9
/** First instruction of the handler. */
export const HANDLER = 10
/** Frame whose handler was interrupted, counted from 1; 0 for none. */
export const PARENT = 12
/** Bits below. */
export const STATE = 13
/** With {@link OVERWRITTEN}: what did it, as in {@link CLOBBERED_BY}. */
export const OVERWRITER = 14
/** Checksum of the registers that the event interrupted, RFLAGS and SSP. */
export const CONTEXT = 15
export const SSP = 16
export const FLAGS = 18

/** Delivered since the last check. */
export const FRESH = 1 << 0
/** Ended since the last check; it stays in the table until then. */
export const ENDED = 1 << 1
/** Its handler went on with another stack. */
export const LEFT = 1 << 2
/** Overwritten while its handler was on another stack: harmful only if the handler comes back. */
export const OVERWRITTEN = 1 << 3
/** Clobbered, since the last check or before. */
export const HARMED = 1 << 4

export const FRAME_REGION: RegionDeclaration = {
  name: 'explore/frames',
  scope: 'cpu',
  bytes: 4 * GHOST_END,
  used: (words, first) => (words[first + NOTED] === 0 ? FRAMES + words[first + COUNT]! * FRAME_WORDS : GHOST_END),
  version: 3,
}

/** First word of frame `n`, counted from 1, in the region. */
export const frameSlot = (n: number): number => FRAMES + (n - 1) * FRAME_WORDS

/** First word of the ghost region in a CPU's state. @throws MachineError on a machine without explore */
export function ghostSlot(cpu: Cpu): number {
  const region = cpu.machine.layout.regions.get(FRAME_REGION.name)
  if (region === undefined) {
    throw new MachineError('no-ghost-state', 'this machine keeps no ghost state', {
      hint: 'load explore() from @trapframe/explore',
    })
  }
  return region.slot
}
