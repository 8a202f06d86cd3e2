import {
  type Cpu,
  CR0,
  CR2,
  CR3,
  CR4,
  CR8,
  CS,
  DR,
  DR6,
  DR7,
  DS,
  EFER,
  ES,
  Fault,
  FS,
  GPR_NAMES,
  GS,
  readMsr,
  SEGMENT_SELECTOR,
  SS,
  segmentSlot,
} from '@trapframe/core'
import { z } from 'zod'
import { quantity } from '../../scenario/schema.js'
import type { CellRun } from '../../session/cell-run.js'
import { hex } from '../../session/symbols.js'
import { expectationVerb, type Verdict } from '../slots.js'

type Read = (cpu: Cpu) => bigint

const slot =
  (first: number): Read =>
  (cpu) =>
    cpu.get64(first)
const selector =
  (n: number): Read =>
  (cpu) =>
    BigInt(cpu.words[segmentSlot(n) + SEGMENT_SELECTOR]! & 0xffff)

/** Every register that a scenario can name. */
const REGISTERS: Readonly<Record<string, Read>> = {
  ...Object.fromEntries(GPR_NAMES.map((name, n) => [name, (cpu: Cpu) => cpu.gpr(n)])),
  rip: (cpu) => cpu.rip,
  rflags: (cpu) => cpu.rflags,
  ...Object.fromEntries(
    [
      ['es', ES],
      ['cs', CS],
      ['ss', SS],
      ['ds', DS],
      ['fs', FS],
      ['gs', GS],
    ].map(([name, n]) => [name, selector(n as number)]),
  ),
  ssp: (cpu) => cpu.ssp,
  fsBase: (cpu) => cpu.fsBase,
  gsBase: (cpu) => cpu.gsBase,
  kernelGsBase: (cpu) => cpu.kernelGsBase,
  cr0: slot(CR0),
  cr2: slot(CR2),
  cr3: slot(CR3),
  cr4: slot(CR4),
  cr8: slot(CR8),
  efer: slot(EFER),
  ...Object.fromEntries([0, 1, 2, 3].map((n) => [`dr${n}`, slot(DR + 2 * n)])),
  dr6: slot(DR6),
  dr7: slot(DR7),
}

interface Wanted {
  readonly name: string
  readonly value: bigint
  read(cpu: Cpu): bigint
}

/** Compares values one by one; what differs is told, and if nothing does, everything. */
function compare(list: readonly Wanted[], cpu: Cpu, run: CellRun): Verdict {
  const shown = (value: bigint): string => {
    const name = run.nameOf(value)
    return name.startsWith('0x') ? name : `${hex(value)} (${name})`
  }
  const actual = list.map(({ name, value, read }) => {
    try {
      const now = read(cpu)
      return { holds: now === value, text: `${name} = ${shown(now)}` }
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      return { holds: false, text: `${name} does not exist on this CPU: #GP(0)` }
    }
  })
  const wrong = actual.filter(({ holds }) => !holds)
  return {
    holds: wrong.length === 0,
    expected: list.map(({ name, value }) => `${name} = ${shown(value)}`).join(', '),
    actual: (wrong.length === 0 ? actual : wrong).map(({ text }) => text).join(', '),
  }
}

/** `registers: { rip: done, rsp: 0x7fff0000 }`. */
export const REGISTER_VALUES = expectationVerb({
  summary: 'registers at the end: name and value, a number or a label',
  schema: z.record(z.string(), quantity),
  bind(wanted, context) {
    const list = Object.entries(wanted).map(([name, value]) => ({
      name: context.oneOf(name, Object.keys(REGISTERS), 'registers', [name], 'key'),
      value: context.address(value, [name]),
      read: REGISTERS[name]!,
    }))
    return { verdict: (run) => compare(list, context.cpu, run) }
  },
})

/** `msr: { IA32_FRED_RSP0: stack_end }`. */
export const MSR_VALUES = expectationVerb({
  summary: "MSRs at the end: the manual's name and value",
  schema: z.record(z.string(), quantity),
  bind(wanted, context) {
    const { msrs } = context.machine
    const list = Object.entries(wanted).map(([name, value]) => {
      context.oneOf(
        name,
        msrs.all().map((msr) => msr.name),
        'MSRs',
        [name],
        'key',
      )
      return {
        name,
        value: context.address(value, [name]),
        read: (cpu: Cpu) => readMsr(cpu, msrs.byName(name)!.index),
      }
    })
    return { verdict: (run) => compare(list, context.cpu, run) }
  },
})
