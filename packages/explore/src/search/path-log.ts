import type { Machine, Snapshot } from '@trapframe/core'
import type { ChoiceCode } from './choice.js'

const FIRST_NODES = 1 << 10
const FIELDS = 5
const BYTES_A_WORD = 4
const PAGE_BYTES = 4096
/** Of a pointer, and about what a frame's, a snapshot's or a map's own objects take. */
const POINTER_BYTES = 8
const OBJECT_BYTES = 400
const MOST_SPENT = 256

/** Number of a node of the log. */
export type Node = number
export const ROOT: Node = 0

/** How a log makes a machine go where it went before. */
export interface Replay {
  /** Makes a choice that was made before. */
  repeat(choice: ChoiceCode): void
  /** Makes the only choice that there is. */
  repeatOnly(): void
}

/** A snapshot that nodes are reached from. */
interface Anchor {
  readonly snapshot: Snapshot
  readonly bytes: number
  /** Nodes that may still be asked for and that are reached from here. */
  users: number
}

/**
 * How a search came to its states: for each the one before it, the choice, and how many steps without a choice followed;
 * 20 bytes. A machine goes back to a state from the nearest snapshot on the way, by replay. How far apart snapshots are is
 * the trade between memory and time: with 1 every state that waits has its own.
 */
export class PathLog {
  readonly #machine: Machine
  readonly #every: number
  readonly #anchors = new Map<Node, Anchor>()
  #parent = new Int32Array(FIRST_NODES)
  #choice = new Int32Array(FIRST_NODES)
  #line = new Int32Array(FIRST_NODES)
  #rank = new Int32Array(FIRST_NODES)
  #anchor = new Int32Array(FIRST_NODES)
  readonly #trail: Node[] = []
  /** Snapshots that are not needed any more, for the next ones. */
  readonly #spent: Snapshot[] = []
  #copies = 0
  #snapshotBytes = 0
  size = 0
  /** The most that snapshots took at a time, in bytes. */
  peakSnapshotBytes = 0

  constructor(machine: Machine, every: number) {
    this.#machine = machine
    this.#every = every
  }

  get bytes(): number {
    return this.#parent.length * BYTES_A_WORD * FIELDS
  }

  /** The start: the machine as it is. */
  begin(): Node {
    const node = this.#append(-1, 0, 0, 0)
    this.#anchor[node] = node
    this.#keep(node)
    return node
  }

  /**
   * The state that the machine is in, which `choice` and `line` steps after it led to from `parent`, as one that
   * {@link goTo} will be asked for until it is released.
   */
  add(parent: Node, choice: ChoiceCode, line: number, rank: number): Node {
    const node = this.#append(parent, choice, line, rank)
    const anchor = this.#anchor[parent]!
    if (!this.#anchors.has(anchor) || this.#distance(node, anchor) >= this.#every) {
      this.#anchor[node] = node
      this.#keep(node)
    } else {
      this.#anchor[node] = anchor
      this.#anchors.get(anchor)!.users++
    }
    return node
  }

  rank(node: Node): number {
    return this.#rank[node]!
  }

  /** Puts the machine into the state of a node that was not released. */
  goTo(node: Node, replay: Replay): void {
    const anchor = this.#anchor[node]!
    this.#machine.restore(this.#anchors.get(anchor)!.snapshot)
    this.#copies = this.#machine.memory.copies
    this.#replay(anchor, node, replay)
  }

  /** The node will not be asked for any more. */
  release(node: Node): void {
    const number = this.#anchor[node]!
    const anchor = this.#anchors.get(number)!
    if (--anchor.users > 0) return
    this.#anchors.delete(number)
    this.#snapshotBytes -= anchor.bytes
    if (this.#spent.length < MOST_SPENT) this.#spent.push(anchor.snapshot)
  }

  /** Calls `visit` for every node from the one after the root to `node`. */
  eachOnPath(node: Node, visit: (choice: ChoiceCode, line: number) => void): void {
    const path: Node[] = []
    for (let at = node; at > ROOT; at = this.#parent[at]!) path.push(at)
    for (const at of path.reverse()) visit(this.#choice[at]!, this.#line[at]!)
  }

  #replay(from: Node, to: Node, replay: Replay): void {
    if (from === to) return
    const trail = this.#trail
    trail.length = 0
    for (let at = to; at !== from; at = this.#parent[at]!) trail.push(at)
    for (let i = trail.length - 1; i >= 0; i--) {
      const at = trail[i]!
      replay.repeat(this.#choice[at]!)
      for (let n = this.#line[at]!; n > 0; n--) replay.repeatOnly()
    }
  }

  /** Steps between a node and one that it comes from. */
  #distance(node: Node, ancestor: Node): number {
    let steps = 0
    for (let at = node; at !== ancestor; at = this.#parent[at]!) steps += 1 + this.#line[at]!
    return steps
  }

  #keep(node: Node): void {
    const { memory } = this.#machine
    const snapshot = this.#machine.snapshot(this.#spent.pop())
    const own = memory.copies - this.#copies
    this.#copies = memory.copies
    const bytes =
      snapshot.state.byteLength +
      snapshot.frames.length * POINTER_BYTES +
      own * (PAGE_BYTES + OBJECT_BYTES) +
      OBJECT_BYTES
    this.#anchors.set(node, { snapshot, bytes, users: 1 })
    this.#snapshotBytes += bytes
    this.peakSnapshotBytes = Math.max(this.peakSnapshotBytes, this.#snapshotBytes)
  }

  #append(parent: Node, choice: ChoiceCode, line: number, rank: number): Node {
    const node = this.size++
    if (node === this.#parent.length) this.#grow()
    this.#parent[node] = parent
    this.#choice[node] = choice
    this.#line[node] = line
    this.#rank[node] = rank
    return node
  }

  #grow(): void {
    const doubled = (array: Int32Array): Int32Array<ArrayBuffer> => {
      const larger = new Int32Array(array.length * 2)
      larger.set(array)
      return larger
    }
    this.#parent = doubled(this.#parent)
    this.#choice = doubled(this.#choice)
    this.#line = doubled(this.#line)
    this.#rank = doubled(this.#rank)
    this.#anchor = doubled(this.#anchor)
  }
}
