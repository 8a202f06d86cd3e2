import type { Boot, Cpu, Machine, StackMap } from '@trapframe/core'

/** A name is used for addresses that lie at most this far behind it. */
const REACH = 4096n

/** Names addresses after the labels before them: `syscall_entry`, `syscall_entry+4`, else `0x7fff0000`. */
export function symbolizer(labels: ReadonlyMap<string, bigint>): (address: bigint) => string {
  const sorted = [...labels].sort(([, a], [, b]) => (a < b ? -1 : a > b ? 1 : 0))
  return (address) => {
    let low = 0
    let high = sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sorted[middle]![1] <= address) low = middle + 1
      else high = middle
    }
    const before = sorted[low - 1]
    if (before === undefined || address - before[1] >= REACH) return hex(address)
    // Of several names of one address the one that was given first.
    const [name, at] = sorted.find(([, other]) => other === before[1]) ?? before
    return address === at ? name : `${name}+0x${(address - at).toString(16)}`
  }
}

export const hex = (value: bigint): string => `0x${value.toString(16)}`

/** Where an address lies. */
export interface Whereabouts {
  /** A stack region (`NMI`; `CPU 1 NMI` where it is another CPU's) or an area (`guest`, `host`). */
  readonly name: string
  /** It is a stack of the CPU itself. */
  readonly isOwnStack: boolean
}

/** Says in whose memory an address lies, as seen from a CPU; null in nobody's. */
export type RegionFinder = (address: bigint, cpu: number) => Whereabouts | null

/** Looks first in the stack regions as they were when the host had booted, then in the areas. */
export function regionFinder(machine: Machine, boot: Boot): RegionFinder {
  const maps = machine.cpus.map((cpu: Cpu): StackMap => boot.stackMap(cpu))
  const areas = Object.entries(boot.areas)
  return (address, cpu) => {
    for (const map of [maps[cpu]!, ...maps]) {
      const region = map.regions.find((one) => contains(one, address))
      if (region === undefined) continue
      const own = map.cpu === cpu
      return { name: own ? region.name : `CPU ${map.cpu} ${region.name}`, isOwnStack: own && region.kind === 'stack' }
    }
    const area = areas.find(([, parts]) => parts.some((part) => contains(part, address)))
    return area === undefined ? null : { name: area[0], isOwnStack: false }
  }
}

/** Whether an address lies in a stretch of memory. */
export function contains(area: { readonly address: bigint; readonly bytes: number }, address: bigint): boolean {
  return address >= area.address && address < area.address + BigInt(area.bytes)
}
