import { createMachine, type Machine, type Plugin } from '@trapframe/core'
import type { Mismatch, Vector } from './format.js'

export interface Tally {
  total: number
  passed: number
  failed: number
  skipped: number
}

export interface Failure extends Mismatch {
  readonly id: string
}

export interface VectorReport extends Tally {
  readonly groups: Record<string, Tally>
  /** The first 50. */
  readonly failures: Failure[]
}

/** How many failures a report lists. */
const LISTED_FAILURES = 50

/** Machines that are kept for the next vector of their kind. */
const MOST_MACHINES = 64

/** Plays vectors on machines with `plugins`, one machine for each kind of CPU and host, and counts. Disputed ones are skipped. */
export function runVectors(vectors: Iterable<Vector>, plugins: readonly Plugin[]): VectorReport {
  const report: VectorReport = { total: 0, passed: 0, failed: 0, skipped: 0, groups: {}, failures: [] }
  const machines = new Map<string, Machine>()
  for (const vector of vectors) {
    report.groups[vector.group] ??= { total: 0, passed: 0, failed: 0, skipped: 0 }
    const tallies = [report, report.groups[vector.group]!]
    const mismatch = vector.disputed === undefined ? vector.play(machineFor(vector, machines, plugins)) : null
    const result = vector.disputed !== undefined ? 'skipped' : mismatch === null ? 'passed' : 'failed'
    for (const tally of tallies) {
      tally.total++
      tally[result]++
    }
    if (mismatch !== null && report.failures.length < LISTED_FAILURES) {
      report.failures.push({ id: vector.id, ...mismatch })
    }
  }
  return report
}

function machineFor({ cpu, host }: Vector, machines: Map<string, Machine>, plugins: readonly Plugin[]): Machine {
  const key = [host?.name ?? '', cpu.vendor, cpu.linearAddressBits, ...[...cpu.features].sort()].join(' ')
  let machine = machines.get(key)
  if (machine === undefined) {
    const own = host?.plugins() ?? []
    const others = plugins.filter(({ name }) => !own.some((plugin) => plugin.name === name))
    machine = createMachine({ cpu, plugins: [...others, ...own] })
    // A file may name as many kinds of CPU as it has lines.
    if (machines.size >= MOST_MACHINES) machines.clear()
    machines.set(key, machine)
  }
  return machine
}
