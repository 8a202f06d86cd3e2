import {
  type Cpu,
  CR2,
  DR,
  DR6,
  DR7,
  Fault,
  GPR_NAMES,
  vectorName,
  writeCr0,
  writeCr4,
  writeCr8,
  writeMsr,
} from '@trapframe/core'
import { z } from 'zod'
import { quantity } from '../../scenario/schema.js'
import { hex } from '../../session/symbols.js'
import { setupVerb, type VerbContext } from '../slots.js'

type Write = (cpu: Cpu, value: bigint) => void

const slot =
  (first: number): Write =>
  (cpu, value) =>
    cpu.set64(first, value)

/** With the checks of MOV to the register. */
const checked =
  (write: (cpu: Cpu, lo: number, hi: number) => void): Write =>
  (cpu, value) =>
    write(cpu, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)))

const REGISTERS: Readonly<Record<string, Write>> = {
  ...Object.fromEntries(GPR_NAMES.map((name, n) => [name, (cpu: Cpu, value: bigint) => cpu.setGpr(n, value)])),
  rip: (cpu, value) => {
    cpu.rip = value
  },
  rflags: (cpu, value) => {
    cpu.rflags = value
  },
  ssp: (cpu, value) => {
    cpu.ssp = value
  },
  fsBase: (cpu, value) => {
    cpu.fsBase = value
  },
  gsBase: (cpu, value) => {
    cpu.gsBase = value
  },
  kernelGsBase: (cpu, value) => {
    cpu.kernelGsBase = value
  },
  cr0: checked(writeCr0),
  cr2: slot(CR2),
  cr4: checked(writeCr4),
  cr8: checked(writeCr8),
  ...Object.fromEntries([0, 1, 2, 3].map((n) => [`dr${n}`, slot(DR + 2 * n)])),
  dr6: slot(DR6),
  dr7: (cpu, value) => cpu.setControl(DR7, value),
}

/** Registers that a program has to load itself, and what it takes for that. */
const LOADED: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['es', 'cs', 'ss', 'ds', 'fs', 'gs'].map((name) => [name, 'a program loads it, with its checks']),
  ),
  cr3: 'a scenario has the address space of its host',
  efer: 'it is an MSR: msr: { IA32_EFER: … }',
}

/** `registers: { rcx: 0x8000_0000_0000, rsp: stack_end }`. Control registers are checked as MOV checks them. */
export const SET_REGISTERS = setupVerb({
  summary: 'registers: name and value, a number or a label',
  schema: z.record(z.string(), quantity),
  apply(values, context) {
    for (const [name, written] of Object.entries(values)) {
      if (Object.hasOwn(LOADED, name)) context.wrong(`"${name}" cannot be set`, LOADED[name], [name])
      const write = REGISTERS[context.oneOf(name, Object.keys(REGISTERS), 'registers', [name], 'key')]!
      const value = context.address(written, [name])
      refusing(context, name, value, () => write(context.cpu, value))
    }
  },
})

/** `msr: { IA32_FMASK: 0 }`, with the checks of WRMSR. */
export const SET_MSRS = setupVerb({
  summary: "MSRs: the manual's name and value, as WRMSR writes them",
  schema: z.record(z.string(), quantity),
  apply(values, context) {
    const { msrs } = context.machine
    const known = msrs.all().map((msr) => msr.name)
    for (const [name, written] of Object.entries(values)) {
      const { index } = msrs.byName(context.oneOf(name, known, 'MSRs', [name], 'key'))!
      const value = context.address(written, [name])
      refusing(context, name, value, () => writeMsr(context.cpu, index, value))
    }
  },
})

/** A value that the CPU does not take is a mistake of the scenario. */
function refusing(context: VerbContext, name: string, value: bigint, write: () => void): void {
  try {
    write()
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    const fault = `${vectorName(error.vector)}(${error.errorCode})`
    context.wrong(`the CPU refuses ${hex(value)} for ${name}: ${fault}`, undefined, [name])
  }
}
