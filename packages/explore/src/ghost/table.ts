import {
  COUNT,
  CURRENT,
  ENDED,
  FRAME_CAPACITY,
  FRAME_WORDS,
  FRESH,
  frameSlot,
  OVERFLOW,
  PARENT,
  STATE,
} from './region.js'

/**
 * The table of frames as a list in the order of delivery. Frames are numbered from 1, and 0 means none, so that an empty
 * region is an empty table; a frame's parent always has a smaller number.
 */

/** First word of frame `n` of the ghost region that starts at `ghost`. */
export const frameAt = (ghost: number, n: number): number => ghost + frameSlot(n)

/** Whether frame `n` has not ended. */
export function isLive(words: Int32Array, ghost: number, n: number): boolean {
  return (words[frameAt(ghost, n) + STATE]! & ENDED) === 0
}

/**
 * A new frame at the end of the table, all zeros but for its parent, which is the frame whose handler runs; its own
 * handler runs now. Returns its first word. When the table is full the oldest frame is forgotten, and the table says so.
 */
export function appendFrame(words: Int32Array, ghost: number): number {
  if (words[ghost + COUNT] === FRAME_CAPACITY) forgetEnded(words, ghost)
  if (words[ghost + COUNT] === FRAME_CAPACITY) {
    removeFrame(words, ghost, 1)
    words[ghost + OVERFLOW] = 1
  }
  const n = words[ghost + COUNT]! + 1
  const frame = frameAt(ghost, n)
  words.fill(0, frame, frame + FRAME_WORDS)
  words[frame + PARENT] = words[ghost + CURRENT]!
  words[ghost + COUNT] = n
  words[ghost + CURRENT] = n
  return frame
}

/** Ends a frame, and those whose handlers it had interrupted in turn: none of them comes back. */
export function endFrame(words: Int32Array, ghost: number, n: number): void {
  const count = words[ghost + COUNT]!
  for (let m = n; m <= count; m++) {
    const frame = frameAt(ghost, m)
    const parent = words[frame + PARENT]!
    if (m === n || (parent >= n && !isLive(words, ghost, parent))) words[frame + STATE] = words[frame + STATE]! | ENDED
  }
  let current = words[ghost + CURRENT]!
  while (current !== 0 && !isLive(words, ghost, current)) current = words[frameAt(ghost, current) + PARENT]!
  words[ghost + CURRENT] = current
}

/** Takes the ended frames out and calls no frame fresh any more. */
export function forgetEnded(words: Int32Array, ghost: number): void {
  for (let n = words[ghost + COUNT]!; n >= 1; n--) {
    const state = frameAt(ghost, n) + STATE
    if ((words[state]! & ENDED) !== 0) removeFrame(words, ghost, n)
    else words[state] = words[state]! & ~FRESH
  }
}

/** Closes the gap that frame `n` leaves; who pointed to it points to none. */
function removeFrame(words: Int32Array, ghost: number, n: number): void {
  const count = words[ghost + COUNT]!
  const frame = frameAt(ghost, n)
  const end = frameAt(ghost, count + 1)
  words.copyWithin(frame, frame + FRAME_WORDS, end)
  words.fill(0, end - FRAME_WORDS, end)
  words[ghost + COUNT] = count - 1
  for (let m = n; m < count; m++) {
    const parent = frameAt(ghost, m) + PARENT
    words[parent] = renumbered(words[parent]!, n)
  }
  words[ghost + CURRENT] = renumbered(words[ghost + CURRENT]!, n)
}

const renumbered = (number: number, removed: number): number =>
  number === removed ? 0 : number > removed ? number - 1 : number
