import {
  type Cpu,
  createMachine,
  Fault,
  IF,
  load32,
  type Machine,
  pageFlags,
  RFLAGS,
  readMsr,
  store32,
  writeMsr,
} from '@trapframe/core'
import { toyIsa, toyMechanism } from '@trapframe/core/testing'
import { APIC_PAGE, apic, enableLocalApic } from '../src/index.js'

/** Where every handler is: HLT. */
export const HANDLER = 0x2000n
const CODE = 0x1000n
const STACKS = 0x10000n

/** CPUs that run NOPs for ever, with local APICs enabled in a mode, or as after reset. */
export function apicMachine(mode: 'xapic' | 'x2apic' | 'reset' = 'x2apic', cpus = 3, cpu = 'panther-lake'): Machine {
  const machine = createMachine({
    cpu,
    cpus,
    plugins: [toyIsa(), toyMechanism({ entry: HANDLER }), apic()],
  })
  const space = machine.space(0n)
  space.map(CODE, pageFlags('wx'), 2)
  space.map(STACKS, pageFlags('w'), cpus)
  space.map(APIC_PAGE, pageFlags('w'))
  space.write(CODE, new Uint8Array(4096).fill(0x90))
  space.write(HANDLER, Uint8Array.of(0xf4))
  for (const cpu of machine.cpus) {
    cpu.rip = CODE
    cpu.rsp = STACKS + BigInt(cpu.id + 1) * 0x1000n
    cpu.words[RFLAGS] = IF | 2
    if (mode !== 'reset') enableLocalApic(cpu, mode)
  }
  return machine
}

/** A register of the page of xAPIC mode, through the memory of a CPU. */
export const page = {
  read: (cpu: Cpu, offset: number): number => load32(cpu, 0xfee00000 + offset, 0) >>> 0,
  write: (cpu: Cpu, offset: number, value: number): void => store32(cpu, 0xfee00000 + offset, 0, value),
}

/** RDMSR and WRMSR; a fault is told as `#13(0)`. */
export const msr = {
  read: (cpu: Cpu, index: number): bigint | string => orFault(() => readMsr(cpu, index)),
  write: (cpu: Cpu, index: number, value: bigint): string =>
    orFault(() => {
      writeMsr(cpu, index, value)
      return 'done'
    }),
}

function orFault<T>(action: () => T): T | string {
  try {
    return action()
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return `#${error.vector}(${error.errorCode})`
  }
}

/** What is delivered and sent, in order, as `1: NMI`, `0 sent NMI to 1,2`, `1 accepted NMI`. */
export function watch(machine: Machine): string[] {
  const seen: string[] = []
  machine.trace.on('event', ({ cpu, event }) => void seen.push(`${cpu}: ${event}`))
  machine.trace.on('ipi', ({ cpu, stage, to, what }) => {
    seen.push(stage === 'sent' ? `${cpu} sent ${what} to ${to.join()}` : `${cpu} accepted ${what}`)
  })
  return seen
}
