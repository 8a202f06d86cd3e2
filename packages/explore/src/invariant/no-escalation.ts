import {
  ACCESS_CODE,
  ACCESS_CONFORMING,
  ACCESS_DPL_SHIFT,
  ACCESS_UNUSABLE,
  type Cpu,
  CS,
  DS,
  ES,
  FS,
  GS,
  type SegmentNumber,
  SS,
} from '@trapframe/core'
import type { Invariant, InvariantContext } from './invariant.js'
import { hex } from './place.js'

const SEGMENTS: readonly (readonly [name: string, number: SegmentNumber])[] = [
  ['CS', CS],
  ['SS', SS],
  ['DS', DS],
  ['ES', ES],
  ['FS', FS],
  ['GS', GS],
]

/**
 * No way to ring 3 takes ring 0's state along: its GS base, a stack pointer into its stacks, or a segment that ring 3 may
 * not have loaded. Judged when a CPU gets to CPL 3; what ring 3 loads afterwards is its own.
 */
export const NO_ESCALATION: Invariant = {
  name: 'no-escalation',
  onRequest: true,
  summary: 'ring 3 never starts with ring 0’s GS base, stack or selectors',
  local: true,
  check(context) {
    const { cpu, notes } = context
    if (cpu.cpl !== 3 || notes.cplBefore === null || notes.cplBefore === 3) return null
    const what = taken(context)
    return what === null ? null : { invariant: 'no-escalation', message: `CPL 3 with ${what}`, cpu: cpu.id }
  },
}

function taken({ boot, cpu, stacks }: InvariantContext): string | null {
  const { gsBase, rsp } = cpu
  if (boot.hostGsBases?.(cpu).includes(gsBase) === true) return `ring 0’s GS base ${hex(gsBase)}`
  // A stack pointer at the very end of a stack is below nothing of it, but a push would land in it.
  const stack = stacks.regions.find(
    ({ kind, address, bytes }) => kind === 'stack' && rsp > address && rsp <= address + BigInt(bytes),
  )
  if (stack !== undefined) return `RSP ${hex(rsp)}, stack ${stack.name}`
  const segment = SEGMENTS.find(([, number]) => isPrivileged(cpu, number))
  return segment === undefined ? null : `${segment[0]} ${hex(BigInt(cpu.segment(segment[1]).selector))}`
}

/** A segment of an inner ring. Null selectors give access to nothing in 64-bit mode, whatever their caches hold. */
function isPrivileged(cpu: Cpu, number: SegmentNumber): boolean {
  const { selector, access } = cpu.segment(number)
  if ((selector & ~3) === 0 || (access & ACCESS_UNUSABLE) !== 0) return false
  if (number === CS) return (selector & 3) !== 3
  const conforming = ACCESS_CODE | ACCESS_CONFORMING
  return ((access >> ACCESS_DPL_SHIFT) & 3) !== 3 && (access & conforming) !== conforming
}
