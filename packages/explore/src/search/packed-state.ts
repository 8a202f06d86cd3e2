import { type Machine, MachineError, nextDifference, PAGE_SIZE, type Snapshot } from '@trapframe/core'

const PAGE_WORDS = PAGE_SIZE / 4
/** A run of words that differ: where it begins above its length. */
const FLAT_SHIFT = 8
const FLAT_MOST = (1 << FLAT_SHIFT) - 1
const PAGE_SHIFT = 11
const PAGE_MOST = (1 << PAGE_SHIFT) - 1
/** Page number in two halves, and how many words of runs follow. */
const PAGE_HEADER = 3
/** How much a packed state may grow at once: a run of a page, with its headers. */
const ROOM = PAGE_WORDS * 2

type Tables = Snapshot['tables']

/** A stretch of the flat state. */
interface Span {
  readonly words: Int32Array
  readonly base: Int32Array
  /** First word in `words` and `base`, and its number in the whole flat state. */
  readonly from: number
  readonly to: number
  readonly number: number
  readonly used: ((words: Int32Array, first: number) => number) | null
}

/**
 * States of a machine as what they differ in from one base: runs of words of the flat state, runs of words of pages, and
 * the number of their page tables. Plain integers, a few hundred bytes for a state some steps away, good in every machine
 * of the same recipe that is in the same base state: to be kept, sent and saved.
 *
 * Format, in 32-bit words: number of the page tables; count of words of flat runs; those runs, each `first << 8 | count`
 * and the values; then for each page its physical number, low half and high half, count of words of runs, and the runs,
 * each `first << 11 | count` and the values.
 */
export class StatePacker {
  readonly base: Snapshot
  readonly #machine: Machine
  readonly #spans: readonly Span[]
  readonly #tables: Tables[]
  /** The last packed state, from word 0 on. */
  words = new Int32Array(1 << 12)

  /** The base is the state that the machine is in. */
  constructor(machine: Machine) {
    this.#machine = machine
    this.base = machine.snapshot()
    for (const frame of this.base.frames) frame.untouched()
    this.#tables = [this.base.tables]
    this.#spans = spansOf(machine, this.base.state)
  }

  /** Page tables that states were packed with; number 0 is the base's. */
  get tables(): readonly Tables[] {
    return this.#tables
  }

  /** Makes page tables known, so that states may name them; returns their number. */
  numberOf(tables: Tables): number {
    const known = this.#tables.findIndex((other) => other === tables || sameTables(other, tables))
    return known >= 0 ? known : this.#tables.push(tables) - 1
  }

  /** Packs the state that the machine is in into {@link words}; returns how many words it takes. */
  pack(): number {
    const tables = this.#machine.shareTables()
    this.words[0] = tables === this.base.tables ? 0 : this.numberOf(tables)
    let at = 2
    const spans = this.#spans
    for (let i = 0; i < spans.length; i++) at = this.#packSpan(spans[i]!, at)
    this.words[1] = at - 2
    const { frames } = this.#machine.memory
    const base = this.base.frames
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i]!
      const before = i < base.length ? base[i]! : NO_FRAME
      if (frame === before) continue
      at = this.#packPage(i, frame.words, before.words, frame.touchedFrom, frame.touchedTo, at)
    }
    return at
  }

  /**
   * Puts the machine into a state that was packed, `count` words from `from` on. A `spent` snapshot, the only one that was taken
   * since the last call, leaves its frames for it.
   */
  unpack(words: Int32Array, from: number, count: number, spent?: Snapshot): void {
    const machine = this.#machine
    if (spent === undefined) machine.restore(this.base)
    else machine.restoreAfter(spent, this.base)
    const tables = words[from]!
    if (tables !== 0) machine.adoptTables(this.#tables[tables]!)
    let at = from + 2
    const end = at + words[from + 1]!
    while (at < end) at = this.#setFlat(words, at)
    while (at < from + count) at = this.#setPage(words, at)
    for (const cpu of machine.cpus) cpu.refreshIfChanged()
  }

  #packSpan({ words, base, from, to, number, used }: Span, at: number): number {
    const end = used === null ? to : Math.min(to, from + Math.max(used(words, from), used(base, from)))
    const shift = number - from
    for (let i = nextDifference(words, base, from, end); i < end; i = nextDifference(words, base, i + 1, end)) {
      // A word that is the same between two that are not costs no more than the header of another run.
      let last = i
      for (let next = i + 1; next < end && next <= last + 2 && next - i < FLAT_MOST; next++) {
        if (words[next] !== base[next]) last = next
      }
      const count = last - i + 1
      this.#room(at)
      this.words[at++] = ((i + shift) << FLAT_SHIFT) | count
      for (let n = 0; n < count; n++) this.words[at++] = words[i + n]!
      i = last
    }
    return at
  }

  #packPage(index: number, words: Int32Array, base: Int32Array, from: number, to: number, at: number): number {
    const header = at
    at += PAGE_HEADER
    for (let i = nextDifference(words, base, from, to); i < to; i = nextDifference(words, base, i + 1, to)) {
      let last = i
      for (let next = i + 1; next < to && next <= last + 2; next++) if (words[next] !== base[next]) last = next
      const count = last - i + 1
      this.#room(at)
      this.words[at++] = (i << PAGE_SHIFT) | count
      for (let n = 0; n < count; n++) this.words[at++] = words[i + n]!
      i = last
    }
    if (at === header + PAGE_HEADER) return header
    const page = this.#machine.memory.pageNumber(index)
    this.words[header] = page | 0
    this.words[header + 1] = Math.floor(page / 0x1_0000_0000)
    this.words[header + 2] = at - header - PAGE_HEADER
    return at
  }

  #room(at: number): void {
    if (at + ROOM < this.words.length) return
    const larger = new Int32Array(this.words.length * 2)
    larger.set(this.words)
    this.words = larger
  }

  #setFlat(words: Int32Array, at: number): number {
    const header = words[at]!
    const { cpus, layout } = this.#machine
    let index = header >>> FLAT_SHIFT
    let target = this.#machine.words
    if (index >= layout.machineWords) {
      index -= layout.machineWords
      const id = (index / layout.cpuWords) | 0
      index -= id * layout.cpuWords
      target = cpus[id]!.words
    }
    const count = header & FLAT_MOST
    for (let n = 0; n < count; n++) target[index + n] = words[at + 1 + n]!
    return at + 1 + count
  }

  #setPage(words: Int32Array, at: number): number {
    const { memory } = this.#machine
    const index = memory.indexOf(words[at + 1]! * 0x1_0000_0000 + (words[at]! >>> 0))
    const first = at + PAGE_HEADER
    const end = first + words[at + 2]!
    let last = first
    for (let run = first; run < end; run += 1 + (words[run]! & PAGE_MOST)) last = run
    const to = (words[last]! >>> PAGE_SHIFT) + (words[last]! & PAGE_MOST)
    const target = memory.writable(index, words[first]! >>> PAGE_SHIFT, to).words
    for (let run = first; run < end; ) {
      const from = words[run]! >>> PAGE_SHIFT
      const count = words[run]! & PAGE_MOST
      for (let n = 0; n < count; n++) target[from + n] = words[run + 1 + n]!
      run += 1 + count
    }
    return end
  }
}

const NO_FRAME = { words: new Int32Array(PAGE_WORDS) }

/** The parts of the flat state, with regions of which only the beginning is used as spans of their own. */
function spansOf(machine: Machine, base: Int32Array): Span[] {
  const { regions, machineWords, cpuWords } = machine.layout
  if ((machineWords + machine.cpus.length * cpuWords) << FLAT_SHIFT < 0) {
    throw new MachineError('search-range', 'the flat state of this machine is too large to be searched')
  }
  const parts = [
    { words: machine.words, start: 0, scope: 'machine' },
    ...machine.cpus.map(({ words, id }) => ({ words, start: machineWords + id * cpuWords, scope: 'cpu' })),
  ]
  return parts.flatMap(({ words, start, scope }) => {
    const own = base.subarray(start, start + words.length)
    const spans: Span[] = []
    let from = 0
    const add = (to: number, used: Span['used']): void => {
      if (to > from) spans.push({ words, base: own, from, to, number: start + from, used })
      from = to
    }
    const partly = [...regions.values()].filter((region) => region.scope === scope && region.used !== undefined)
    for (const { slot, words: count, used } of partly.sort((a, b) => a.slot - b.slot)) {
      add(slot, null)
      add(slot + count, used!)
    }
    add(words.length, null)
    return spans
  })
}

function sameTables(a: Tables, b: Tables): boolean {
  for (const [cr3, table] of [...a, ...b]) {
    const one = a.get(cr3) ?? table
    const other = b.get(cr3) ?? NOTHING
    if (one === other) continue
    if (one.size !== other.size) return false
    for (const [page, entry] of one) if (other.get(page) !== entry) return false
  }
  return true
}

const NOTHING: ReadonlyMap<number, number> = new Map()
