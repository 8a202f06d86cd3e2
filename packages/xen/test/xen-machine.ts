import { type Boot, type BootRequest, type Cpu, createMachine, type Machine, type TraceEntry } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { assemble, isa } from '@trapframe/isa'
import { xen } from '../src/index.js'

export interface XenMachine {
  readonly machine: Machine
  readonly boot: Boot
  readonly cpu: Cpu
  readonly label: (name: string) => bigint
}

/** A machine with Xen on it. */
export function xenMachine(cpu: string, request: BootRequest = {}, cpus = 1): XenMachine {
  const machine = createMachine({ cpu, cpus, plugins: [xen(), fred(), idt(), isa()] })
  const boot = machine.boot('xen', request)
  const label = (name: string): bigint => {
    const address = boot.labels.get(name)
    if (address === undefined) throw new Error(`no label ${name}`)
    return address
  }
  return { machine, boot, cpu: machine.cpu, label }
}

/** Puts a program at a site and the CPU at its beginning. Returns the program's labels. */
export function enter(
  { machine, boot }: XenMachine,
  site: 'guest' | 'host',
  source: string,
  cpu: Cpu = machine.cpu,
): ReadonlyMap<string, bigint> {
  const place = boot.sites[site]!
  const { bytes, labels } = assemble(source, { origin: place.origin })
  machine.space(0n).write(place.origin, bytes)
  place.enter(cpu)
  return labels
}

/** Steps a CPU until it comes to an address or has nothing to do; the entries of the trace that came on the way. */
export function runTo(
  { machine }: XenMachine,
  address: bigint | null,
  cpu: Cpu = machine.cpu,
  limit = 2000,
): TraceEntry[] {
  const entries: TraceEntry[] = []
  const stop = machine.trace.record((entry) => entries.push(entry))
  try {
    for (let i = 0; i < limit; i++) {
      if (machine.step(cpu.id) === 'idle' || cpu.rip === address) return entries
    }
    throw new Error(`still at ${cpu.rip.toString(16)} after ${limit} steps`)
  } finally {
    stop()
  }
}

/** What the machine printed. */
export const printed = (entries: readonly TraceEntry[]): string[] =>
  entries.flatMap((entry) => (entry.type === 'log' ? [entry.text] : []))

/** Events that were delivered, by name. */
export const delivered = (entries: readonly TraceEntry[]): string[] =>
  entries.flatMap((entry) => (entry.type === 'event' ? [entry.event] : []))

/** Whether an address lies on a stack of a CPU, as the stack map has it now. */
export function isOnStack({ boot }: XenMachine, cpu: Cpu, address: bigint): boolean {
  return boot
    .stackMap(cpu)
    .regions.some(
      ({ kind, address: low, bytes }) => kind === 'stack' && address >= low && address < low + BigInt(bytes),
    )
}
