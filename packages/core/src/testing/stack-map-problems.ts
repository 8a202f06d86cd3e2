import type { Boot, StackRegion } from '../machine/host.js'
import type { Machine } from '../machine/machine.js'
import { pointsInto } from '../machine/stack-region.js'
import { PAGE_PRESENT, pageLetters } from '../memory/access.js'
import { hexOf } from './contract.js'

/** What is wrong with the stack maps of a booted machine, as sentences. */
export function stackMapProblems(machine: Machine, boot: Boot): string[] {
  const problems: string[] = []
  const stacks: { readonly cpu: number; readonly region: StackRegion }[] = []
  for (const cpu of machine.cpus) {
    const map = boot.stackMap(cpu)
    const say = (text: string): void => void problems.push(`CPU ${cpu.id}: ${text}`)
    if (map.cpu !== cpu.id) say(`the map says that it is CPU ${map.cpu}'s`)
    if (map.delivery !== boot.delivery) say(`the map is for "${map.delivery}"`)
    if (!map.regions.some(({ kind }) => kind === 'stack')) say('there is no stack')
    for (const region of map.regions) {
      const { name, address, bytes, kind, attributes, pointers } = region
      if (bytes <= 0) say(`${name} has ${bytes} bytes`)
      const flags = cpu.space.flagsAt(address)
      const actual = (flags & PAGE_PRESENT) === 0 ? null : pageLetters(flags)
      if (attributes !== actual) say(`${name} is "${attributes}" in the map and "${actual}" in the page tables`)
      if (kind === 'stack' && !attributes?.includes('w')) say(`${name} is a stack that cannot be written`)
      if (kind === 'shadow-stack' && !attributes?.includes('s')) say(`${name} is no shadow stack`)
      if (kind === 'guard' && attributes?.includes('w')) say(`${name} is a guard that can be written`)
      for (const { source, value } of pointers)
        if (!pointsInto(value, address, bytes)) say(`${source} is ${hexOf(value)}, which is not in ${name}`)
      if (kind === 'stack' || kind === 'shadow-stack') stacks.push({ cpu: cpu.id, region })
    }
    for (const { source, value } of map.elsewhere) {
      const region = map.regions.find(({ address, bytes }) => pointsInto(value, address, bytes))
      if (region !== undefined) say(`${source} is ${hexOf(value)}, which is in ${region.name}, and not elsewhere`)
    }
    map.regions.forEach((a, i) => {
      const b = map.regions.slice(i + 1).find((other) => meet(a, other))
      if (b !== undefined) say(`${a.name} and ${b.name} overlap`)
    })
  }
  stacks.forEach(({ cpu, region }, i) => {
    const other = stacks.slice(i + 1).find((one) => one.cpu !== cpu && meet(region, one.region))
    if (other !== undefined)
      problems.push(`CPU ${cpu} and CPU ${other.cpu} share ${region.name}, at ${hexOf(region.address)}`)
  })
  return problems
}

const meet = (a: StackRegion, b: StackRegion): boolean =>
  a.address < b.address + BigInt(b.bytes) && b.address < a.address + BigInt(a.bytes)
