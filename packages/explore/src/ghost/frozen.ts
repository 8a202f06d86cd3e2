import { type Boot, type Cpu, defineSlot, type Machine, type MemoryArea, type Slot } from '@trapframe/core'
import { FROZEN, FROZEN_AT, FROZEN_RIP, NOTED } from './region.js'

/**
 * What it means that a CPU is contained: it has stopped for good and may run nothing but its last loop and what handles
 * events there, and what it left in memory is final. A plugin that stops CPUs declares it; all of it is read from the
 * machine, which decides when a CPU is contained.
 */
export interface Containment {
  readonly name: string
  /** Whether this CPU is contained now. Called after every step and for every store: it should compare a word or two. */
  contained(machine: Machine, cpu: Cpu): boolean
  /** Where a contained CPU may execute: its last loop and the entry paths of the events that still reach it. */
  allowed(boot: Boot, cpu: Cpu): readonly MemoryArea[]
  /** Linear memory that nobody may write once this CPU is contained, such as its crash note. */
  frozen(machine: Machine, cpu: Cpu): readonly MemoryArea[]
}

/** Containments of a machine, judged by the invariant `nmi-containment`. */
export const CONTAINMENTS: Slot<Containment> = defineSlot('explore/containments', 'all')

const byMachine = new WeakMap<Machine, readonly Containment[]>()

/** The containments of a machine, which are fixed when it is made: stores ask for them, and there are many. */
export function containmentsOf(machine: Machine): readonly Containment[] {
  let containments = byMachine.get(machine)
  if (containments === undefined) {
    containments = machine.contributions(CONTAINMENTS).map(({ value }) => value)
    byMachine.set(machine, containments)
  }
  return containments
}

/** Notes a store of `bytes` bytes at `hi:lo` into memory that a contained CPU has left. */
export function noteFrozen(cpu: Cpu, ghost: number, lo: number, hi: number, bytes: number): void {
  const { machine } = cpu
  const containments = containmentsOf(machine)
  if (containments.length === 0) return
  const address = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)
  for (const owner of machine.cpus) {
    const { words } = owner
    if (words[ghost + FROZEN] !== 0) continue
    for (const value of containments) {
      if (!value.contained(machine, owner) || !touches(value.frozen(machine, owner), address, BigInt(bytes))) continue
      words[ghost + NOTED] = 1
      words[ghost + FROZEN] = 1 + cpu.id
      words[ghost + FROZEN_AT] = lo
      words[ghost + FROZEN_AT + 1] = hi
      words[ghost + FROZEN_RIP] = cpu.startLo
      words[ghost + FROZEN_RIP + 1] = cpu.startHi
    }
  }
}

const touches = (areas: readonly MemoryArea[], address: bigint, bytes: bigint): boolean =>
  areas.some((area) => address < area.address + BigInt(area.bytes) && area.address < address + bytes)
