import { type Cpu, IDTR, readMsr, SEGMENT_LIMIT, segmentSlot, TABLE_LIMIT, TR } from '@trapframe/core'
import { IA32_CSTAR, IA32_LSTAR, IA32_SYSENTER_EIP, readGate } from '@trapframe/idt'
import { deliveryOf } from '../delivery.js'
import { VECTORS } from '../entry/vectors.js'
import { TOKEN_BUSY } from '../setup/cet.js'
import { ISST_ENTRIES } from '../setup/tables.js'
import { xenStackMap } from '../stack-map.js'
import type { Programmed } from './record.js'

/**
 * What event delivery needs on one CPU, counted (A17): the IDT's tables against FRED's MSRs. Read back from the CPU, but
 * for what the boot wrote.
 */
export interface SetUp {
  /** Bytes of each table in memory that delivery reads. */
  readonly tables: Readonly<Record<'idt' | 'tss' | 'shadowStackTable', number>>
  /** Descriptors that delivery may read: gates, the code segments they name, the TSS's own. */
  readonly descriptors: Readonly<Record<'gates' | 'codeSegments' | 'tss', number>>
  /** MSRs that the boot wrote, in its order. */
  readonly msrs: readonly string[]
  /** Addresses at which an event may enter. */
  readonly entryPoints: number
  /** Stacks and shadow stacks that an event may be delivered on, and pointers that are there to fault. */
  readonly stacks: number
  readonly shadowStacks: number
  readonly poisonedPointers: number
  /** Supervisor shadow-stack tokens. */
  readonly tokens: number
}

/** Counts what one CPU is set up with. */
export function readSetUp(cpu: Cpu, programmed: readonly Programmed[]): SetUp {
  const fred = deliveryOf(cpu) === 'fred'
  const gates = presentGates(cpu)
  const tss = cpu.words[segmentSlot(TR) + SEGMENT_LIMIT]! >>> 0
  const pointers = countPointers(cpu)
  return {
    tables: {
      idt: gates.length === 0 ? 0 : cpu.words[IDTR + TABLE_LIMIT]! + 1,
      tss: tss === 0 ? 0 : tss + 1,
      shadowStackTable: !fred && cpu.supervisorShadowStack ? ISST_ENTRIES * 8 : 0,
    },
    descriptors: {
      gates: gates.length,
      codeSegments: new Set(gates.map(({ selector }) => selector)).size,
      tss: tss === 0 ? 0 : 1,
    },
    msrs: [...new Set(programmed.filter(({ what }) => what.startsWith('IA32_')).map(({ what }) => what))],
    entryPoints: fred ? FRED_ENTRY_POINTS : new Set(gates.map(({ offset }) => offset)).size + systemCallEntries(cpu),
    ...pointers,
  }
}

/** From ring 3 at the entry page, from ring 0 256 bytes above. */
const FRED_ENTRY_POINTS = 2

const presentGates = (cpu: Cpu) =>
  Array.from({ length: VECTORS }, (_, vector) => readGate(cpu, vector)).flatMap((gate) =>
    gate?.present === true ? [gate] : [],
  )

const systemCallEntries = (cpu: Cpu): number =>
  [IA32_LSTAR, IA32_CSTAR, IA32_SYSENTER_EIP].filter((msr) => readMsr(cpu, msr) !== 0n).length

function countPointers(cpu: Cpu): Pick<SetUp, 'stacks' | 'shadowStacks' | 'poisonedPointers' | 'tokens'> {
  const { regions, elsewhere } = xenStackMap(cpu)
  const isPoison = ({ use }: { use: string }): boolean => use.endsWith(': poison')
  const led = regions.filter(({ pointers }) => pointers.some((pointer) => !isPoison(pointer)))
  const all = [...regions.flatMap(({ pointers }) => pointers), ...elsewhere]
  const shadow = led.filter(({ kind }) => kind === 'shadow-stack')
  return {
    stacks: led.filter(({ kind }) => kind === 'stack').length,
    shadowStacks: shadow.length,
    poisonedPointers: all.filter(isPoison).length,
    tokens: shadow.filter(({ pointers }) => pointers.some(({ value }) => isToken(cpu, value))).length,
  }
}

/** A token is its own address, and bit 0 tells whether it is busy; no mapped address that is not a token holds that. */
function isToken(cpu: Cpu, address: bigint): boolean {
  return cpu.space.flagsAt(address) !== 0 && (cpu.space.read64(address) & ~TOKEN_BUSY) === address
}
