import {
  type AddressSpace,
  type Cpu,
  GDTR,
  IDTR,
  LDTR,
  type Segment,
  TABLE_LIMIT,
  TR,
  tssIstOffset,
  tssRspOffset,
} from '@trapframe/core'
import { readVariable } from './init-data.js'
import { readDeliveryMsrs } from './msrs.js'

/** Bits of CR4 that a boot may set (SDM 3A 2.5). */
const CR4_BITS: readonly (readonly [bit: number, name: string])[] = [
  [5, 'PAE'],
  [9, 'OSFXSR'],
  [10, 'OSXMMEXCPT'],
  [13, 'VMXE'],
  [16, 'FSGSBASE'],
  [18, 'OSXSAVE'],
  [20, 'SMEP'],
  [21, 'SMAP'],
  [23, 'CET'],
  [32, 'FRED'],
]

const RINGS = [0, 1, 2] as const
const IST = [1, 2, 3, 4, 5, 6, 7] as const

/** Xen's memory as Xen has it, whatever the page tables that the CPU uses now map of it. */
const xenSpace = (cpu: Cpu): AddressSpace => cpu.machine.space(0n)

/** What a boot left in a CPU and in the boot's variables, as it is now. */
export function readBack(cpu: Cpu): Readonly<Record<string, unknown>> {
  return {
    pv32: readVariable(xenSpace(cpu), 'opt_pv32') === 1,
    cr4: cpu.cr4,
    cr4Bits: CR4_BITS.filter(([bit]) => ((cpu.cr4 >> BigInt(bit)) & 1n) === 1n).map(([, name]) => name),
    msrs: readDeliveryMsrs(cpu),
    tables: {
      gdt: readTable(cpu, GDTR),
      idt: readTable(cpu, IDTR),
      ldt: readSystemSegment(cpu.segment(LDTR)),
    },
    tss: readTss(cpu),
  }
}

const readTable = (cpu: Cpu, slot: number): Readonly<Record<string, bigint>> => ({
  base: cpu.get64(slot),
  limit: BigInt(cpu.words[slot + TABLE_LIMIT]!),
})

const readSystemSegment = ({ selector, base, limit }: Segment): Readonly<Record<string, bigint>> => ({
  selector: BigInt(selector),
  base,
  limit: BigInt(limit),
})

/** What TR leads to: the TSS in memory, of which nothing beyond the limit can be reached. */
function readTss(cpu: Cpu): Readonly<Record<string, bigint>> {
  const segment = readSystemSegment(cpu.segment(TR))
  const field = (name: string, offset: number): readonly [string, bigint] => [
    name,
    xenSpace(cpu).read64(segment.base! + BigInt(offset)),
  ]
  return {
    ...segment,
    ...Object.fromEntries(RINGS.map((ring) => field(`rsp${ring}`, tssRspOffset(ring)))),
    ...Object.fromEntries(IST.map((n) => field(`ist${n}`, tssIstOffset(n)))),
  }
}
