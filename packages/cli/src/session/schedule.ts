/**
 * Which CPU makes the next step: first what the scenario's schedule says, then those that can, in turn, beginning after
 * the one that stepped last. Null when none can.
 *
 * @param number the step, from 1
 */
export function nextCpu(
  number: number,
  schedule: readonly number[],
  last: number,
  cpus: number,
  canStep: (cpu: number) => boolean,
): number | null {
  const scheduled = schedule[number - 1]
  if (scheduled !== undefined) return scheduled
  for (let i = 1; i <= cpus; i++) {
    const cpu = (last + i) % cpus
    if (canStep(cpu)) return cpu
  }
  return null
}
