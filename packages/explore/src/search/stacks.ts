import type { Boot, Machine } from '@trapframe/core'
import { StackMemory } from './stack-memory.js'

/** The regions of each CPU's stack map that hold stacks, ordinary and shadow, by the CPU's number. They are read when a search begins. */
export interface CpuStacks {
  readonly stacks: readonly StackMemory[]
  readonly shadowStacks: readonly StackMemory[]
}

export function stacksOf(machine: Machine, boot: Boot): readonly CpuStacks[] {
  return machine.cpus.map((cpu) => {
    const { regions } = boot.stackMap(cpu)
    const ofKind = (wanted: string): StackMemory[] =>
      regions.filter(({ kind }) => kind === wanted).map((region) => new StackMemory(machine, region))
    return { stacks: ofKind('stack'), shadowStacks: ofKind('shadow-stack') }
  })
}

/** Where a shadow stack keeps its token, if it has one: the last 8 bytes. */
export const TOKEN_BYTES = 8

/** The shadow stack that SSP leads into: it points to the last entry, or just behind the region when there is none. */
export const shadowStackAt = ({ shadowStacks }: CpuStacks, ssp: bigint): StackMemory | undefined =>
  shadowStacks.find(({ from, end }) => ssp > from && ssp <= end)
