import { type Cpu, type Machine, type RegionDeclaration, store64 } from '@trapframe/core'
import { OWN_REGS, own, type SharedVariable, shared } from './layout.js'

/** What is asked after every step, in a word of each CPU's flat state: 1 once the CPU has acknowledged. */
export const CONTAINED_REGION: RegionDeclaration = { name: 'kexec/contained', scope: 'cpu', bytes: 8, version: 1 }
/** One word: 1 once the crash code is in memory. */
export const PLACED_REGION: RegionDeclaration = { name: 'kexec/placed', scope: 'machine', bytes: 8, version: 1 }

const slotOf = (machine: Machine, { name }: RegionDeclaration): number => machine.layout.regions.get(name)!.slot

/** Whether a CPU has acknowledged that it was stopped, which is for good. */
export function isContained(cpu: Cpu): boolean {
  return cpu.words[slotOf(cpu.machine, CONTAINED_REGION)] !== 0
}

export function setContained(cpu: Cpu): void {
  cpu.words[slotOf(cpu.machine, CONTAINED_REGION)] = 1
}

/** Whether a CPU has entered the crash handler, or crashes itself: the registers of its note are settled. */
export function isStopping({ machine, id }: Cpu): boolean {
  return isPlaced(machine) && machine.space(0n).read64(own(id) + BigInt(OWN_REGS)) !== 0n
}

export const isPlaced = (machine: Machine): boolean => machine.words[slotOf(machine, PLACED_REGION)] !== 0

/** Whether a crash image is loaded: a panic leads to it. */
export const isLoaded = (machine: Machine): boolean => isPlaced(machine) && readShared32(machine, 'crash_image') !== 0

export function setPlaced(machine: Machine): void {
  machine.words[slotOf(machine, PLACED_REGION)] = 1
}

/** A variable that CPUs share, as memory has it. */
export function readShared(machine: Machine, name: SharedVariable): bigint {
  return machine.space(0n).read64(shared(name))
}

export function writeShared(machine: Machine, name: SharedVariable, value: bigint): void {
  machine.space(0n).write64(shared(name), value)
}

/** The 32-bit ones. */
export function readShared32(machine: Machine, name: SharedVariable): number {
  const bytes = machine.space(0n).read(shared(name), 4)
  return new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true)
}

export function writeShared32(machine: Machine, name: SharedVariable, value: number): void {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setInt32(0, value, true)
  machine.space(0n).write(shared(name), bytes)
}

/** Stores that a CPU makes, with everything that watches them. */
export function storeShared(cpu: Cpu, name: SharedVariable, value: bigint): void {
  const [lo, hi] = halves(shared(name))
  store64(cpu, lo, hi, ...halves(value))
}

export const halves = (value: bigint): [lo: number, hi: number] => [
  Number(BigInt.asIntN(32, value)),
  Number(BigInt.asIntN(32, value >> 32n)),
]
