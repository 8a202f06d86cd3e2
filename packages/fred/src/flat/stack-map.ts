import {
  type Cpu,
  PAGE_PRESENT,
  pointersElsewhere,
  readGuardedStack,
  readMsr,
  type StackMap,
  type StackPointer,
} from '@trapframe/core'
import { IA32_FRED_RSP0, IA32_FRED_SSP0, IA32_FRED_SSP1 } from '../msrs.js'
import { PAGE, shadowTop, stackTop } from './memory.js'

const LEVELS = [0, 1, 2, 3] as const
const TOP_DOWN = [3, 2, 1, 0] as const

/** The stacks of a CPU, with the pointers and page attributes that it has now, from the top down. */
export function flatStackMap(cpu: Cpu): StackMap {
  const pointers = LEVELS.map((level) => stackPointer(cpu, level))
  if (cpu.supervisorShadowStack) pointers.push(...LEVELS.map((level) => shadowPointer(cpu, level)))
  const shadowStacks = TOP_DOWN.map((level) => ({ top: shadowTop(cpu.id, level), name: `SL${level} shadow` }))
  const stacks = [
    ...shadowStacks.filter(({ top }) => (cpu.space.flagsAt(top - PAGE) & PAGE_PRESENT) !== 0),
    ...TOP_DOWN.map((level) => ({ top: stackTop(cpu.id, level), name: `SL${level}` })),
  ]
  const regions = stacks.flatMap((stack) => readGuardedStack(cpu, stack, pointers))
  return { cpu: cpu.id, delivery: 'fred', regions, elsewhere: pointersElsewhere(pointers, regions) }
}

function stackPointer(cpu: Cpu, level: number): StackPointer {
  return { source: `IA32_FRED_RSP${level}`, use: `SL${level}`, value: readMsr(cpu, IA32_FRED_RSP0 + level) }
}

function shadowPointer(cpu: Cpu, level: number): StackPointer {
  const index = level === 0 ? IA32_FRED_SSP0 : IA32_FRED_SSP1 + level - 1
  const source = level === 0 ? 'IA32_PL0_SSP' : `IA32_FRED_SSP${level}`
  return { source, use: `SL${level}`, value: readMsr(cpu, index) }
}
