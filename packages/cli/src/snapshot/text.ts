import { type Cpu, GPR_NAMES, type TraceEntry } from '@trapframe/core'
import type { CellRun } from '../session/cell-run.js'
import type { Delivery, FrameFields, Standing } from '../session/delivery.js'
import { hex } from '../session/symbols.js'

/** What a snapshot can hold. */
export const PARTS = ['end', 'events', 'log', 'trace'] as const
export type Part = (typeof PARTS)[number]

/** The text that a snapshot keeps: a line for each fact, so that a change is a change of few lines. */
export function snapshotText(run: CellRun, parts: readonly Part[]): string {
  const chapters: Readonly<Record<Part, () => readonly string[]>> = {
    end: () => endLines(run),
    events: () => run.deliveries.flatMap((delivery) => deliveryLines(delivery, run)),
    log: () => run.log,
    trace: () => run.trace.map((entry) => traceLine(entry, run)),
  }
  return PARTS.filter((part) => parts.includes(part))
    .flatMap((part) => [`${part}:`, ...chapters[part]().map((line) => `  ${line}`)])
    .map((line) => line.replace(/\s+$/, ''))
    .join('\n')
}

function endLines(run: CellRun): string[] {
  return [`outcome ${run.outcome}`, `steps ${run.steps}`, ...run.machine.cpus.flatMap((cpu) => cpuLines(cpu, run))]
}

/** Registers but those that are zero. */
function cpuLines(cpu: Cpu, run: CellRun): string[] {
  const values: [string, bigint][] = [
    ['rip', cpu.rip],
    ['rflags', cpu.rflags],
    ...GPR_NAMES.map((name, n): [string, bigint] => [name, cpu.gpr(n)]),
    ['ssp', cpu.ssp],
    ['gsBase', cpu.gsBase],
  ]
  return [
    `cpu ${cpu.id} ${run.outcomes[cpu.id]} CPL ${cpu.cpl} ${cpu.mechanism?.name ?? ''}`,
    ...values.filter(([, value]) => value !== 0n).map(([name, value]) => `  ${name} ${named(value, run)}`),
  ]
}

/** A number, with the name that it has where it is an address. */
function named(value: bigint, { nameOf }: CellRun): string {
  const name = nameOf(value)
  return name.startsWith('0x') ? hex(value) : `${hex(value)} ${name}`
}

function deliveryLines({ number, step, cpu, event, nested, from, to, stack, frame }: Delivery, run: CellRun): string[] {
  const { address, bytes, region, fields } = frame
  return [
    `${number} ${event}${nested ? ' nested' : ''} at step ${step} of CPU ${cpu}`,
    `  from ${standing(from, run)}`,
    `  to ${standing(to, run)}`,
    `  frame ${bytes} bytes at ${hex(address)} on ${region ?? 'nobody’s memory'}${stack === null ? '' : `, by ${stack}`}`,
    ...(fields === null ? [] : fieldLines(fields, run)),
  ]
}

function standing({ rip, rsp, cpl, stackLevel }: Standing, run: CellRun): string {
  return `${named(rip, run)}, RSP ${hex(rsp)}, CPL ${cpl}${stackLevel === null ? '' : `, level ${stackLevel}`}`
}

/** Fields of a frame, but those that are 0 or false. */
function fieldLines(fields: FrameFields, run: CellRun): string[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    if (value === undefined || value === false || value === 0n || value === 0) return []
    return [`    ${name} ${typeof value === 'bigint' ? named(value, run) : String(value)}`]
  })
}

function traceLine({ type, ...fields }: TraceEntry, run: CellRun): string {
  const parts = Object.entries(fields).map(([name, value]) => {
    const shown: unknown = typeof value === 'bigint' ? named(value, run) : value
    return `${name} ${typeof shown === 'string' ? shown : JSON.stringify(shown)}`
  })
  return `${type} ${parts.join(', ')}`
}
