import { Expander } from './expander.js'
import { type Exploration, rankOf } from './exploration.js'
import { BEGINNING } from './state-table.js'
import { type Bucket, RECORD_HEADER, WaitingStates } from './waiting-states.js'

/**
 * Breadth first, in the order of injected events, then of steps: the first way to a state is one with the fewest events
 * and, among these, the fewest steps, and so is the first counterexample of a kind.
 *
 * All states with e events come before those with e + 1. A state therefore waits twice: for the choices that inject
 * nothing, and, when the next number of events has its turn, for those that inject one. A state met with fewer events had
 * more of them left, so that meeting it again leads nowhere new. A straight line runs ahead of its turn; where its end is
 * then met on a shorter way, that way counts and the longer one is dropped before it is expanded, so that every state is
 * expanded once, at its lowest rank.
 *
 * Yields now and then, so that the caller can stop it.
 */
export function* breadthFirst(exploration: Exploration): Generator<undefined, void> {
  const { table } = exploration
  let waiting = new WaitingStates()
  let kept = new WaitingStates()
  const expander = new Expander(exploration, (arrival) => {
    const { lo, hi, steps, plain, injectable } = arrival
    const rank = rankOf(arrival.events, steps)
    const visit = exploration.meet(lo, hi, rank, arrival)
    if (visit === 'known') return
    if (!plain) {
      if (visit === 'new') exploration.noteTerminal()
      if (!injectable) return
    }
    keepWaiting(steps, lo, hi)
  })
  const { packer } = expander
  function keepWaiting(steps: number, lo: number, hi: number): void {
    const count = packer.pack()
    waiting.add(steps, lo, hi, packer.words, 0, count)
  }
  const lo = exploration.hash()
  const hi = exploration.machine.hashHi
  exploration.meet(lo, hi, 0, { made: BEGINNING, parentLo: 0, parentHi: 0 })
  if (exploration.choices.plain() === 0) exploration.noteTerminal()
  keepWaiting(0, lo, hi)

  /** Calls `expand` for every state of a bucket that was not met at a lower rank since. */
  function* each(
    bucket: Bucket | null,
    from: WaitingStates,
    rank: number,
    expand: (at: number) => void,
  ): Generator<undefined, void> {
    if (bucket === null) return
    const { data } = bucket
    for (let at = 0; at < bucket.used; at += RECORD_HEADER + data[at]!) {
      if (table.rankOf(data[at + 1]!, data[at + 2]!) !== rank) continue
      expander.load(bucket, at)
      expand(at)
      yield
    }
    from.release(bucket)
  }

  for (let events = 0; events <= exploration.maxEvents; events++) {
    const keep = new WaitingStates()
    for (let steps = 0; steps <= Math.max(waiting.last, kept.last); steps++) {
      exploration.rank = rankOf(events, steps)
      yield* each(kept.take(steps), kept, rankOf(events - 1, steps), () => expander.expandEvents(events - 1, steps))
      const bucket = waiting.take(steps)
      yield* each(bucket, waiting, rankOf(events, steps), (at) => {
        if (!expander.expandSteps(events, steps)) return
        const { data } = bucket!
        keep.add(steps, data[at + 1]!, data[at + 2]!, data, at + RECORD_HEADER, data[at]!)
      })
      exploration.waiting = waiting.count + kept.count + keep.count
      exploration.waitingBytes = Math.max(
        exploration.waitingBytes,
        4 * (waiting.words + kept.words + keep.words),
      )
    }
    kept = keep
    waiting = new WaitingStates()
    if (kept.count === 0) break
  }
}
