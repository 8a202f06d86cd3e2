import {
  type Cpu,
  CR0,
  CR2,
  CR3,
  CR4,
  CS,
  DR6,
  EFER,
  GPR_NAMES,
  PL3_SSP,
  SEGMENT_SELECTOR,
  SS,
  segmentSlot,
} from '@trapframe/core'
import type { DeliveryView } from '../verbs/slots.js'

const selector = (cpu: Cpu, n: number): bigint => BigInt(cpu.words[segmentSlot(n) + SEGMENT_SELECTOR]! & 0xffff)

type Read = (cpu: Cpu, views: ReadonlyMap<string, DeliveryView>) => bigint

/** The registers that a report follows, in the order in which it shows them. */
const REGISTERS: readonly (readonly [name: string, read: Read])[] = [
  ['RIP', (cpu) => cpu.rip],
  ['RSP', (cpu) => cpu.rsp],
  ['RFLAGS', (cpu) => cpu.rflags],
  ['CPL', (cpu) => BigInt(cpu.cpl)],
  ['SL', (cpu, views) => BigInt(views.get(cpu.mechanism?.name ?? '')?.stackLevel?.(cpu) ?? 0)],
  ['SSP', (cpu) => cpu.ssp],
  ['CS', (cpu) => selector(cpu, CS)],
  ['SS', (cpu) => selector(cpu, SS)],
  ...GPR_NAMES.map((name, n) => [name.toUpperCase(), (cpu: Cpu) => cpu.gpr(n)] as const).filter(
    ([name]) => name !== 'RSP',
  ),
  ['GS.base', (cpu) => cpu.gsBase],
  ['KERNEL_GS_BASE', (cpu) => cpu.kernelGsBase],
  ['PL3_SSP', (cpu) => cpu.get64(PL3_SSP)],
  ['CR0', (cpu) => cpu.get64(CR0)],
  ['CR2', (cpu) => cpu.get64(CR2)],
  ['CR3', (cpu) => cpu.get64(CR3)],
  ['CR4', (cpu) => cpu.get64(CR4)],
  ['EFER', (cpu) => cpu.get64(EFER)],
  ['DR6', (cpu) => cpu.get64(DR6)],
]

export const REGISTER_NAMES: readonly string[] = REGISTERS.map(([name]) => name)

/** The values of all of them, in order. */
export function readRegisters(cpu: Cpu, views: ReadonlyMap<string, DeliveryView>): bigint[] {
  return REGISTERS.map(([, read]) => BigInt.asUintN(64, read(cpu, views)))
}
