import type { Boot, Cpu, Machine, StackRegion } from '@trapframe/core'

/** An address as reports print it. */
export const hex = (address: bigint): string => address.toString(16)

const contains = (part: { readonly address: bigint; readonly bytes: number }, address: bigint): boolean =>
  address >= part.address && address < part.address + BigInt(part.bytes)

/** What lies at an address, in words: a region of a CPU's stack, or whose memory it is. */
export function placeOf(machine: Machine, boot: Boot, cpu: Cpu, address: bigint): string {
  for (const owner of [cpu, ...machine.cpus.filter((other) => other !== cpu)]) {
    const region = boot.stackMap(owner).regions.find((candidate) => contains(candidate, address))
    if (region !== undefined) return inWords(region, owner === cpu ? null : owner)
  }
  for (const [name, areas] of Object.entries(boot.areas)) {
    if (areas.some((area) => contains(area, address))) return `${name} memory`
  }
  return 'memory of nobody'
}

function inWords(region: StackRegion, owner: Cpu | null): string {
  const whose = owner === null ? '' : ` of CPU ${owner.id}`
  return region.kind === 'stack' ? `stack ${region.name}${whose}` : `${region.name} (${region.kind})${whose}`
}
