import { type Cpu, createMachine, type Machine, PAGE_EXECUTABLE, PAGE_USER } from '@trapframe/core'
import { assemble, isa } from '@trapframe/isa'
import { HANDLERS, handlerAddress, IDT_TABLE } from '../src/flat/memory.js'
import { GATE_BYTES } from '../src/gate.js'
import { idt } from '../src/plugin.js'

/** A flat machine under the IDT with a program in its place, and the address after the program's last byte. */
export interface Flat {
  readonly machine: Machine
  readonly cpu: Cpu
  readonly end: bigint
}

export interface FlatSetup {
  readonly cpu?: string
  /** Where the CPU is: in ring 3 (`guest`, the default) or in ring 0. */
  readonly site?: 'guest' | 'host'
  /** What lies at RIP. */
  readonly source?: string
  readonly shadowStacks?: boolean
}

/** The host kind `flat-idt`, booted, with `source` assembled where the CPU goes on. */
export function flat({
  cpu = 'panther-lake',
  site = 'guest',
  source = 'nop',
  shadowStacks = false,
}: FlatSetup = {}): Flat {
  const machine = createMachine({ cpu, plugins: [idt(), isa()] })
  const { sites } = machine.boot('flat-idt', { options: { shadowStacks } })
  const { origin, enter } = sites[site]!
  const { bytes } = assemble(source, { origin })
  machine.cpu.space.write(origin, bytes)
  enter(machine.cpu)
  return { machine, cpu: machine.cpu, end: origin + BigInt(bytes.length) }
}

/** Steps until the CPU is about to execute the handler of `vector`. @throws Error when it does not come in 20 steps */
export function runTo(machine: Machine, vector: number): Cpu {
  for (let n = 0; n < 20; n++) {
    if (machine.cpu.rip === handlerAddress(vector)) return machine.cpu
    machine.step()
  }
  throw new Error(`no event of vector ${vector} in 20 steps; RIP is 0x${machine.cpu.rip.toString(16)}`)
}

/** Changes one byte of a vector's gate: 4 is IST, 5 the type, DPL and present bit, 12 and 13 the reserved upper half. */
export function patchGate(cpu: Cpu, vector: number, offset: number, value: number): void {
  cpu.space.write(IDT_TABLE + BigInt(vector * GATE_BYTES + offset), Uint8Array.of(value))
}

/** Lets ring 3 execute the handlers too, as a conforming segment at CPL 3 does. */
export function shareHandlers(cpu: Cpu): void {
  cpu.space.map(HANDLERS, PAGE_EXECUTABLE | PAGE_USER, 2)
}
