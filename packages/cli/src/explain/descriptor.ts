import {
  ACCESS_ACCESSED,
  ACCESS_UNUSABLE,
  accessOf,
  type Cpu,
  dplOf,
  GDTR,
  isCode,
  isConforming,
  isLong,
  isPresent,
  LDTR,
  SEGMENT_ACCESS,
  SEGMENT_BASE,
  SEGMENT_LIMIT,
  segmentSlot,
  TABLE_LIMIT,
} from '@trapframe/core'
import { hex, peek } from './words.js'

/** The code segment that a selector names, as far as it can be seen. */
export interface CodeSegment {
  readonly address: bigint
  /** The selector lies within its table. */
  readonly inTable: boolean
  /** Null where the descriptor cannot be read. */
  readonly access: number | null
  readonly words: string
}

/** Looks a selector up in its table without faulting. */
export function seeSegment(cpu: Cpu, selector: number): CodeSegment {
  const { words } = cpu
  const local = (selector & 4) !== 0
  const ldt = segmentSlot(LDTR)
  const offset = selector & 0xfff8
  const base = cpu.get64(local ? ldt + SEGMENT_BASE : GDTR)
  const usable = !local || (words[ldt + SEGMENT_ACCESS]! & ACCESS_UNUSABLE) === 0
  const limit = local ? words[ldt + SEGMENT_LIMIT]! >>> 0 : words[GDTR + TABLE_LIMIT]!
  const address = BigInt.asUintN(64, base + BigInt(offset))
  const inTable = usable && offset + 7 <= limit
  const table = local ? 'LDT' : 'GDT'
  if (!inTable) return { address, inTable, access: null, words: `selector ${hex(selector)} is beyond the ${table}` }
  const view = peek(cpu, address, 8)
  if (view === null) return { address, inTable, access: null, words: `the ${table} is not mapped at ${hex(address)}` }
  const access = accessOf({
    selector,
    lo: view.getInt32(0, true),
    hi: view.getInt32(4, true),
    addressLo: 0,
    addressHi: 0,
  })
  return { address, inTable, access, words: `selector ${hex(selector)}: ${accessWords(access)}` }
}

function accessWords(access: number): string {
  const kind = !isCode(access) ? 'no code' : `${isLong(access) ? '64-bit' : '32-bit'} code`
  const more = isCode(access) && isConforming(access) ? ', conforming' : ''
  return `${kind}${more}, DPL ${dplOf(access)}${isPresent(access) ? '' : ', not present'}`
}

/** The accessed bit of a code or data segment is clear. */
export const isFresh = (access: number | null): boolean => access !== null && (access & ACCESS_ACCESSED) === 0
