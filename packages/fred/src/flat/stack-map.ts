import {
  type Cpu,
  PAGE_PRESENT,
  PAGE_SHADOW_STACK,
  pageLetters,
  readMsr,
  type StackMap,
  type StackPointer,
  type StackRegion,
} from '@trapframe/core'
import { IA32_FRED_RSP0, IA32_FRED_SSP0, IA32_FRED_SSP1 } from '../msrs.js'
import { PAGE, shadowTop, stackTop } from './memory.js'

const LEVELS = [0, 1, 2, 3] as const

/** The stacks of a CPU, with the pointers and page attributes that it has now, from the top down. */
export function flatStackMap(cpu: Cpu): StackMap {
  const pointers = LEVELS.map((level) => stackPointer(cpu, level))
  if (cpu.supervisorShadowStack) pointers.push(...LEVELS.map((level) => shadowPointer(cpu, level)))
  const bounds: { top: bigint; name: string; kind: 'stack' | 'shadow-stack' }[] = []
  for (const level of [3, 2, 1, 0])
    bounds.push({ top: shadowTop(cpu.id, level), name: `SL${level} shadow`, kind: 'shadow-stack' })
  for (const level of [3, 2, 1, 0]) bounds.push({ top: stackTop(cpu.id, level), name: `SL${level}`, kind: 'stack' })
  const regions: StackRegion[] = []
  for (const { top, name, kind } of bounds) {
    const flags = cpu.space.flagsAt(top - PAGE)
    if (kind === 'shadow-stack' && (flags & PAGE_PRESENT) === 0) continue
    regions.push(region(cpu, top - PAGE, name, (flags & PAGE_SHADOW_STACK) !== 0 ? 'shadow-stack' : 'stack', pointers))
    regions.push(region(cpu, top - 2n * PAGE, `${name} guard`, 'guard', pointers))
  }
  const found = new Set(regions.flatMap((one) => one.pointers))
  return { cpu: cpu.id, delivery: 'fred', regions, elsewhere: pointers.filter((one) => !found.has(one)) }
}

function region(
  cpu: Cpu,
  address: bigint,
  name: string,
  kind: StackRegion['kind'],
  pointers: readonly StackPointer[],
): StackRegion {
  const flags = cpu.space.flagsAt(address)
  return {
    address,
    bytes: Number(PAGE),
    name,
    kind,
    attributes: (flags & PAGE_PRESENT) === 0 ? null : pageLetters(flags),
    // A stack pointer points just above the first byte that a push writes.
    pointers: pointers.filter(({ value }) => value > address && value <= address + PAGE),
  }
}

function stackPointer(cpu: Cpu, level: number): StackPointer {
  return { source: `IA32_FRED_RSP${level}`, use: `SL${level}`, value: readMsr(cpu, IA32_FRED_RSP0 + level) }
}

function shadowPointer(cpu: Cpu, level: number): StackPointer {
  const index = level === 0 ? IA32_FRED_SSP0 : IA32_FRED_SSP1 + level - 1
  const source = level === 0 ? 'IA32_PL0_SSP' : `IA32_FRED_SSP${level}`
  return { source, use: `SL${level}`, value: readMsr(cpu, index) }
}
