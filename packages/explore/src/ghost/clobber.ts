import {
  type Cpu,
  type EventType,
  HARDWARE_EXCEPTION,
  isInstructionEvent,
  RSP as STACK_POINTER,
  VECTOR_MC,
  type Writer,
} from '@trapframe/core'
import { distance } from './distance.js'
import {
  ADDRESS,
  BEFORE_RIP,
  BYTES,
  CLOBBERED,
  CLOBBERED_ADDRESS,
  CLOBBERED_AT,
  CLOBBERED_BY,
  CLOBBERED_BY_CPU,
  CLOBBERED_EVENT,
  CLOBBERED_RIP,
  COUNT,
  CURRENT,
  DELIVERING,
  EVENT,
  HARMED,
  LEFT,
  NOTED,
  OVERWRITER,
  OVERWRITTEN,
  PARENT,
  STATE,
} from './region.js'
import { frameAt, isLive } from './table.js'

/**
 * A frame is clobbered when bytes of it that are still needed are overwritten by the delivery of another event, or by
 * software other than the handler that runs on it (hosts edit their own frames on purpose).
 */

/** Looks at a store of `bytes` bytes at `hi:lo` by `cpu`, in the frames of every CPU. */
export function noteOverwritten(cpu: Cpu, ghost: number, lo: number, hi: number, bytes: number, by: Writer): void {
  for (const owner of cpu.machine.cpus) {
    const { words } = owner
    const count = words[ghost + COUNT]!
    for (let n = 1; n <= count; n++) {
      if (!isLive(words, ghost, n)) continue
      const frame = frameAt(ghost, n)
      const offset = distance(lo, hi, words[frame + ADDRESS]!, words[frame + ADDRESS + 1]!)
      if (offset >= words[frame + BYTES]! || offset + bytes <= consumed(owner, ghost, n)) continue
      if (by === 'software' && owner === cpu && actsForHandlerOf(words, ghost, n)) continue
      const writer = by === 'delivery' ? 1 + cpu.words[ghost + DELIVERING]! : 0
      if ((words[frame + STATE]! & LEFT) === 0) harm(owner, ghost, n, cpu, writer, lo, hi)
      else if ((words[frame + STATE]! & OVERWRITTEN) === 0) {
        words[frame + STATE] = words[frame + STATE]! | OVERWRITTEN
        words[frame + OVERWRITER] = writer
      }
    }
  }
}

/** Bytes at the low end that the running handler has already popped: RSP stands inside of the frame. */
function consumed(owner: Cpu, ghost: number, n: number): number {
  const { words } = owner
  if (words[ghost + CURRENT] !== n) return 0
  const frame = frameAt(ghost, n)
  const offset = distance(
    words[STACK_POINTER]!,
    words[STACK_POINTER + 1]!,
    words[frame + ADDRESS]!,
    words[frame + ADDRESS + 1]!,
  )
  return offset > 0 && offset < words[frame + BYTES]! ? offset : 0
}

/**
 * Whether the code that runs is the handler of frame `n`, or handles an exception or an INT n that this handler itself
 * raised: a fix-up repairs the frame of what it interrupted, and does so on its behalf. An interrupt, NMI or machine
 * check acts on its own.
 */
function actsForHandlerOf(words: Int32Array, ghost: number, n: number): boolean {
  let m = words[ghost + CURRENT]!
  while (m > n) {
    const frame = frameAt(ghost, m)
    if (!isRaisedByCode(words[frame + EVENT]!)) return false
    m = words[frame + PARENT]!
  }
  return m === n
}

function isRaisedByCode(event: number): boolean {
  const type = ((event >>> 8) & 7) as EventType
  return isInstructionEvent(type) || (type === HARDWARE_EXCEPTION && (event & 0xff) !== VECTOR_MC)
}

/** Marks a frame of `owner` as clobbered, and remembers the first one since the last check. */
export function harm(owner: Cpu, ghost: number, n: number, writer: Cpu, by: number, lo: number, hi: number): void {
  const { words } = owner
  const frame = frameAt(ghost, n)
  if ((words[frame + STATE]! & HARMED) !== 0) return
  words[frame + STATE] = words[frame + STATE]! | HARMED
  if (words[ghost + CLOBBERED] !== 0) return
  words[ghost + NOTED] = 1
  words[ghost + CLOBBERED] = 1
  words[ghost + CLOBBERED_EVENT] = words[frame + EVENT]!
  words[ghost + CLOBBERED_ADDRESS] = words[frame + ADDRESS]!
  words[ghost + CLOBBERED_ADDRESS + 1] = words[frame + ADDRESS + 1]!
  words[ghost + CLOBBERED_BY] = by
  words[ghost + CLOBBERED_BY_CPU] = writer.id
  words[ghost + CLOBBERED_AT] = lo
  words[ghost + CLOBBERED_AT + 1] = hi
  words[ghost + CLOBBERED_RIP] = by === 0 ? writer.startLo : writer.words[ghost + BEFORE_RIP]!
  words[ghost + CLOBBERED_RIP + 1] = by === 0 ? writer.startHi : writer.words[ghost + BEFORE_RIP + 1]!
}
