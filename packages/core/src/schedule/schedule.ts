import { type StepResult, step } from '../instruction/step.js'
import type { Machine } from '../machine/machine.js'
import { canStep } from './ready.js'

/**
 * Which CPU makes each step. A schedule is data and keeps no state: what it says depends on the {@link Position} and on who
 * can step. Whoever takes a snapshot keeps the position with it, and goes on from both.
 *
 * - `list`: these CPUs make the first steps, whether they can or not (one that cannot passes its step); then in turn
 * - `round-robin`: those that can, in turn, beginning after the one that stepped last
 * - `random`: one of those that can, by a seed: the same seed, the same run
 */
export type Schedule =
  | { readonly kind: 'list'; readonly cpus: readonly number[] }
  | { readonly kind: 'round-robin' }
  | { readonly kind: 'random'; readonly seed: number }

/** Where a run stands in its schedule. */
export interface Position {
  /** Steps made so far, over all CPUs. */
  readonly steps: number
  /** The CPU that made the last one; -1 before the first. */
  readonly last: number
}

/** Before the first step. */
export const FIRST_POSITION: Position = { steps: 0, last: -1 }

/**
 * The CPU that makes the next step; null when none can.
 *
 * @param cpus how many there are
 * @param ready whether a CPU can step
 */
export function nextCpu(
  schedule: Schedule,
  { steps, last }: Position,
  cpus: number,
  ready: (cpu: number) => boolean,
): number | null {
  if (schedule.kind === 'random') {
    const enabled = Array.from({ length: cpus }, (_, cpu) => cpu).filter(ready)
    return enabled[seededChoice(schedule.seed, steps, enabled.length)] ?? null
  }
  const listed = schedule.kind === 'list' ? schedule.cpus[steps] : undefined
  if (listed !== undefined) return listed
  for (let i = 1; i <= cpus; i++) {
    const cpu = (last + i) % cpus
    if (ready(cpu)) return cpu
  }
  return null
}

/**
 * A number from 0 to `count` - 1 that looks random and is a function of seed and index alone, so that there is no generator
 * to save: neighbours of either have nothing to do with each other. 0 when `count` is 0.
 */
export function seededChoice(seed: number, index: number, count: number): number {
  let h = Math.imul((seed | 0) ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul((index | 0) + 0x7f4a7c15, 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad)
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97)
  return count === 0 ? 0 : ((h ^ (h >>> 15)) >>> 0) % count
}

/** One step under a schedule. */
export interface ScheduledStep {
  readonly cpu: number
  readonly result: StepResult
  /** Where the schedule stands now. */
  readonly position: Position
}

/** Makes the step that a schedule has next; null when no CPU can step. A listed CPU that cannot passes: `idle`. */
export function scheduledStep(machine: Machine, schedule: Schedule, position: Position): ScheduledStep | null {
  const cpu = nextCpu(schedule, position, machine.cpus.length, (id) => canStep(machine.cpus[id]!))
  if (cpu === null) return null
  return { cpu, result: step(machine.cpus[cpu]!), position: { steps: position.steps + 1, last: cpu } }
}
