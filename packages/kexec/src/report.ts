import type { Machine } from '@trapframe/core'
import { readShared } from './memory/state.js'

/** Numbers of the CPUs whose bits are set, rising. */
export function cpusIn(mask: bigint): number[] {
  return Array.from({ length: 64 }, (_, cpu) => cpu).filter((cpu) => (mask & (1n << BigInt(cpu))) !== 0n)
}

/** Numbers as Xen prints a set of CPUs: `1-3,7`. */
export function cpuList(cpus: readonly number[]): string {
  const runs: [from: number, to: number][] = []
  for (const cpu of cpus) {
    const last = runs.at(-1)
    if (last !== undefined && last[1] === cpu - 1) last[1] = cpu
    else runs.push([cpu, cpu])
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',')
}

/** The CPU that crashes; null while none does. */
export function crashingCpu(machine: Machine): number | null {
  const cpu = BigInt.asIntN(64, readShared(machine, 'crashing_cpu'))
  return cpu < 0n ? null : Number(cpu)
}

/** CPUs that have been told to stop and have not acknowledged. */
export const waitedFor = (machine: Machine): number[] => cpusIn(readShared(machine, 'waiting_to_crash'))

/** CPUs that were reported as not shot down (K4). */
export const notShotDown = (machine: Machine): number[] => cpusIn(readShared(machine, 'not_shot_down'))
