import { type Cpu, PL0_SSP, readMsr, type StackPointer, vectorName } from '@trapframe/core'
import {
  CONFIG_INTERRUPT_LEVEL_SHIFT,
  IA32_FRED_CONFIG,
  IA32_FRED_RSP0,
  IA32_FRED_SSP0,
  IA32_FRED_SSP1,
  IA32_FRED_STKLVLS,
} from '@trapframe/fred'
import { IA32_INTERRUPT_SSP_TABLE_ADDR, IA32_SYSENTER_ESP, readGate, readIst, readRsp } from '@trapframe/idt'
import { deliveryOf } from './delivery.js'
import { VECTORS } from './entry/vectors.js'

/** A stack pointer and what kind of stack it should lead to. */
export interface TypedPointer extends StackPointer {
  readonly kind: 'stack' | 'shadow-stack'
}

/** Every stack pointer that delivery on a CPU would use now, read where the CPU itself would read it. */
export function stackPointers(cpu: Cpu): TypedPointer[] {
  return deliveryOf(cpu) === 'fred' ? fredPointers(cpu) : idtPointers(cpu)
}

const LEVELS = [0, 1, 2, 3] as const

/** The level's MSRs, and what IA32_FRED_STKLVLS and IA32_FRED_CONFIG send there. */
function fredPointers(cpu: Cpu): TypedPointer[] {
  const pointers: TypedPointer[] = []
  for (const level of LEVELS) {
    const use = `SL${level} (${eventsOfLevel(cpu, level)})`
    const ssp = level === 0 ? IA32_FRED_SSP0 : IA32_FRED_SSP1 + level - 1
    pointers.push({ kind: 'stack', source: `IA32_FRED_RSP${level}`, use, value: readMsr(cpu, IA32_FRED_RSP0 + level) })
    if (!cpu.supervisorShadowStack) continue
    pointers.push({ kind: 'shadow-stack', source: `IA32_FRED_SSP${level}`, use, value: readMsr(cpu, ssp) })
  }
  return pointers
}

const EXCEPTIONS = 32

function eventsOfLevel(cpu: Cpu, level: number): string {
  if (level === 0) return 'ring 3, and what has no level'
  const levels = readMsr(cpu, IA32_FRED_STKLVLS)
  const events: string[] = []
  for (let vector = 0; vector < EXCEPTIONS; vector++) {
    if (((levels >> BigInt(2 * vector)) & 3n) === BigInt(level)) events.push(vectorName(vector))
  }
  if (((readMsr(cpu, IA32_FRED_CONFIG) >> BigInt(CONFIG_INTERRUPT_LEVEL_SHIFT)) & 3n) === BigInt(level)) {
    events.push('interrupts')
  }
  return events.join(', ') || 'nothing'
}

const RINGS = [0, 1, 2] as const
const IST_ENTRIES = [1, 2, 3, 4, 5, 6, 7] as const

/** The TSS that TR reaches, the gates that name its entries, and the shadow stacks that go with them. */
function idtPointers(cpu: Cpu): TypedPointer[] {
  const pointers: TypedPointer[] = []
  const add = (source: string, use: string, value: bigint | null): void => {
    if (value !== null) pointers.push({ kind: 'stack', source, use, value })
  }
  const addShadow = (source: string, use: string, value: bigint): void => {
    pointers.push({ kind: 'shadow-stack', source, use, value })
  }
  for (const ring of RINGS) add(`TSS.RSP${ring}`, ring === 0 ? 'entry from ring 3' : `ring ${ring}`, readRsp(cpu, ring))
  const vectors = vectorsByIst(cpu)
  const uses = new Map(IST_ENTRIES.map((n) => [n, `IST${n} (${vectors[n]!.join(', ') || 'no gate'})`] as const))
  for (const n of IST_ENTRIES) add(`TSS.IST${n}`, uses.get(n)!, readIst(cpu, n))
  if (cpu.model.behaviour.sysenterInLongMode) {
    add('IA32_SYSENTER_ESP', 'SYSENTER', readMsr(cpu, IA32_SYSENTER_ESP))
  }
  if (!cpu.supervisorShadowStack) return pointers
  addShadow('IA32_PL0_SSP', 'entry from ring 3', cpu.get64(PL0_SSP))
  const table = readMsr(cpu, IA32_INTERRUPT_SSP_TABLE_ADDR)
  addShadow('ISST[0]', 'nothing', cpu.space.read64(table))
  for (const n of IST_ENTRIES) addShadow(`ISST[${n}]`, uses.get(n)!, cpu.space.read64(table + BigInt(8 * n)))
  return pointers
}

/** Names of the vectors whose gates take a stack from the TSS, by IST index. */
function vectorsByIst(cpu: Cpu): readonly string[][] {
  const names = Array.from({ length: 8 }, (): string[] => [])
  for (let vector = 0; vector < VECTORS; vector++) {
    const gate = readGate(cpu, vector)
    if (gate?.present === true) names[gate.ist]!.push(vectorName(vector))
  }
  return names
}
