import { entryPointAt } from '../guest/entry-points.js'
import { IRET_HYPERCALL_RETURN, sharedField } from '../guest/kernel.js'
import { ANCHORS, ENTRY_POINT_BYTES } from '../guest/memory.js'
import type { Divergence, FieldDifference } from './compare.js'
import { hex } from './hex.js'
import type { GuestProgram, SetUpStep } from './program.js'

/** Programs and what they show, for people. */

const PAGE = 0x1000n

/** An address relative to the place of the guest's memory that it is near to, as recordings have it; other numbers in hex. */
export function place(value: bigint): string {
  if (value === IRET_HYPERCALL_RETURN) return 'iretHypercallReturn'
  const entry = entryPointAt(value - (value % ENTRY_POINT_BYTES))
  if (entry !== null) {
    const name = `handler:${entry.kind === 'trap' ? hex(entry.vector) : entry.name}`
    return relative(name, value % ENTRY_POINT_BYTES)
  }
  if (value === sharedField('evtchn_upcall_pending')) return 'vcpu_info'
  const near = Object.entries(ANCHORS).find(([, at]) => value - at < PAGE && at - value < 2n * PAGE && value > PAGE)
  return near === undefined ? hex(value) : relative(near[0], value - near[1])
}

const relative = (name: string, distance: bigint): string =>
  distance === 0n ? name : `${name}${distance > 0n ? '+' : '-'}${hex(distance > 0n ? distance : -distance)}`

const field = (value: unknown): string => {
  if (typeof value === 'bigint') return place(value)
  if (Array.isArray(value)) return `[${value.map(field).join(', ')}]`
  return typeof value === 'number' ? hex(value) : String(value)
}

/** A step of the set-up: `set_trap vector=0x80 dpl=0x0 masks=false`. */
const printStep = ({ op, ...fields }: SetUpStep): string =>
  [op, ...Object.entries(fields).map(([name, value]) => `${name}=${field(value)}`)].join(' ')

/** A program: set-up, start, code, and how its handlers go on. */
export function printProgram({ before, start, code, returns }: GuestProgram): string[] {
  const selectors = `cs ${hex(start.cs)}, ss ${hex(start.ss)}`
  const mode = (start.cs & 3) === 3 ? 'user' : 'kernel'
  const flags = start.inSyscall ? ', VGCF_in_syscall' : ''
  return [
    ...before.map((step) => `set up: ${printStep(step)}`),
    `iret to guest ${mode}: rip ${place(start.rip)}, ${selectors}, rflags ${hex(start.rflags)}, rsp ${place(start.rsp)}${flags}`,
    ...code.flatMap((text) => text.split('\n')).map((line) => `    ${line}`),
    '    int 0xf1',
    ...(returns.count === 0
      ? []
      : [
          `handlers return ${returns.count} times, to rip+${returns.skip}${returns.inSyscall ? ', VGCF_in_syscall' : ''}`,
        ]),
  ]
}

const shown = (value: FieldDifference['idt']): string =>
  value === null ? '–' : typeof value === 'bigint' ? place(value) : value

/**
 * What differs at a moment, a line for each value: its name, under the IDT, under FRED. Memory is left out where registers or
 * the frame tell it already.
 */
export function printDifferences({ differences }: Divergence): (readonly [name: string, idt: string, fred: string])[] {
  const seen = differences.filter(({ field: name }) => name !== 'memory')
  return (seen.length > 0 ? seen : differences).map(({ field: name, address, idt, fred }) => [
    address === undefined ? name : `${name} ${place(address)}`,
    shown(idt),
    shown(fred),
  ])
}
