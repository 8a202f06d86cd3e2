import { CS, GPR_NAMES, SEGMENT_SELECTOR, SS, segmentSlot } from '@trapframe/core'
import type { CellRun } from '../session/cell-run.js'
import type { Delivery } from '../session/delivery.js'
import { nearPlace, onOwnStack, plainPlace } from './places.js'

/** Something that two runs have in common, or not: a value for each. */
export interface Fact {
  readonly name: string
  readonly values: readonly string[]
  readonly equal: boolean
}

const fact = (name: string, values: readonly string[]): Fact => ({
  name,
  values,
  equal: values.every((value) => value === values[0]),
})

/** What the runs differ in, and what they agree in, from the first ring 0 instruction to the end. */
export function facts(runs: readonly CellRun[]): Fact[] {
  const each = (name: string, value: (run: CellRun) => string): Fact => fact(name, runs.map(value))
  const list: Fact[] = []
  if (runs.some((run) => firstEntry(run) !== undefined)) {
    list.push(each('RSP on entry to ring 0', (run) => firstEntry(run) ?? 'never there'))
    list.push(each('ring 0 steps in the gap', (run) => String(strayedSteps(run))))
  }
  list.push(...frameFacts(runs))
  list.push(each('returns', returnsText))
  list.push(each('table reads in deliveries', readsText))
  for (const name of runs[0]?.invariants ?? []) {
    const broken = (run: CellRun): boolean => run.violations.some(({ invariant }) => invariant === name)
    if (runs.some(broken)) list.push(each(name, (run) => (broken(run) ? 'violated ✗' : 'kept')))
  }
  if (runs.some(({ outcome }) => outcome !== 'done')) list.push(each('outcome', ({ outcome }) => outcome))
  list.push(...atTheEnd(runs))
  return list
}

/** RSP right after the first step that came from ring 3 to ring 0. */
function firstEntry(run: CellRun): string | undefined {
  const step = run.history.find(({ before, after }) => before.cpl === 3 && after.cpl === 0)
  return step && nearPlace(run, step.after.rsp, step.cpu)
}

/** The gap: steps that ring 0 began with RSP on something that is no stack of the CPU. */
function strayedSteps(run: CellRun): number {
  return run.history.filter(
    ({ before, cpu, kind }) => kind !== 'idle' && before.cpl === 0 && !onOwnStack(run, before.rsp, cpu),
  ).length
}

/** The frames of events that all runs delivered; those that say what the one before said are left out. */
function frameFacts(runs: readonly CellRun[]): Fact[] {
  const list: Fact[] = []
  for (const name of new Set(runs[0]?.deliveries.map(({ event }) => event))) {
    const frames = runs.map((run) => run.deliveries.filter(({ event }) => event === name))
    const least = Math.min(...frames.map(({ length }) => length))
    let before = ''
    for (let nth = 0; nth < least; nth++) {
      const values = frames.map((own, n) => frameText(runs[n]!, own[nth]!))
      if (values.join() === before) continue
      before = values.join()
      list.push(fact(nth === 0 ? `${name} frame` : `${name} frame, number ${nth + 1}`, values))
    }
  }
  return list.slice(0, MOST_FRAMES)
}

const MOST_FRAMES = 8

/** `iretq × 3, sysretq`. */
function returnsText(run: CellRun): string {
  const counts: [text: string, count: number][] = []
  for (const { returned, text } of run.history) {
    if (returned === null) continue
    const last = counts.at(-1)
    if (last?.[0] === text) last[1] += 1
    else counts.push([text, 1])
  }
  return counts.map(([text, count]) => (count === 1 ? text : `${text} × ${count}`)).join(', ') || 'none'
}

function frameText(run: CellRun, { frame, cpu }: Delivery): string {
  return `${frame.bytes} bytes on ${nearPlace(run, frame.address, cpu, false)}`
}

function readsText({ deliveries }: CellRun): string {
  const count = deliveries.reduce((sum, { reads }) => sum + reads.count, 0)
  const bytes = deliveries.reduce((sum, { reads }) => sum + reads.bytes, 0)
  return count === 0 ? 'none' : `${count}, ${bytes} bytes`
}

/** Registers at the end: what all agree in is one fact, each difference its own. */
function atTheEnd(runs: readonly CellRun[]): Fact[] {
  const selector = (n: number) => (run: CellRun) =>
    BigInt(run.machine.cpu.words[segmentSlot(n) + SEGMENT_SELECTOR]! & 0xffff)
  const registers: readonly (readonly [string, (run: CellRun) => bigint])[] = [
    ['RIP', ({ machine }) => machine.cpu.rip],
    ['RFLAGS', ({ machine }) => machine.cpu.rflags],
    ['CPL', ({ machine }) => BigInt(machine.cpu.cpl)],
    ['CS', selector(CS)],
    ['SS', selector(SS)],
    ...GPR_NAMES.map((name, n) => [name.toUpperCase(), ({ machine }: CellRun) => machine.cpu.gpr(n)] as const),
  ]
  const compared = registers.map(([name, read]) =>
    fact(
      name,
      runs.map((run) => shown(name, read(run), run)),
    ),
  )
  const different = compared.filter((one) => !one.equal).map((one) => ({ ...one, name: `${one.name} at the end` }))
  const equal = compared.filter((one) => one.equal)
  if (equal.length === 0) return different
  const values = TOLD.flatMap((name) => equal.find((one) => one.name === name) ?? []).map(
    (one) => `${one.name} ${one.values[0]}`,
  )
  const rest = different.length === 0 ? 'CPL, CS, SS and the general registers too' : 'all others too'
  return [...different, fact('registers at the end', [[...values, rest].join(', ')])]
}

/** Registers whose value is told when they agree. */
const TOLD = ['RIP', 'RSP', 'RFLAGS'] as const

function shown(name: string, value: bigint, run: CellRun): string {
  return name === 'RIP' ? run.nameOf(value) : plainPlace(value)
}
