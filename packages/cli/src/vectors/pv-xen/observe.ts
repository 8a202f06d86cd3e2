import { GPR_NAMES, VECTOR_NMI, vectorName } from '@trapframe/core'
import {
  ANCHORS,
  type AskedState,
  askXen,
  type DomainCrash,
  END_VECTOR,
  type EntryPoint,
  type KernelEntry,
  MARKS,
  type PvGuest,
  readEntry,
} from '@trapframe/pv'
import { hex } from './number.js'

/** What was seen, by the names of the recording's fields: a number, a text, or null for what the recording leaves out. */
export type Observed = Readonly<Record<string, bigint | string | null>>

const SELECTOR = 0xffffn
/** Bits of the CS slot that are not CS or the saved upcall mask. */
const CS_REST = ~0xff_0000_ffffn
const RPL = 3n

/** The entry that the guest has just stopped at. */
export function observeEntry(guest: PvGuest, entry: EntryPoint): Observed {
  return asRecorded(entry, readEntry(guest), askXen(guest))
}

function asRecorded(entry: EntryPoint, { frame, ...at }: KernelEntry, asked: AskedState): Observed {
  return {
    entry: entryName(entry),
    name: eventName(entry),
    fromMode: (frame.cs & RPL) === RPL ? 'user' : 'kernel',
    frameAt: at.frameAt,
    'frame.rcx': frame.rcx,
    'frame.r11': frame.r11,
    'frame.errorCode': frame.errorCode,
    'frame.rip': frame.rip,
    'frame.cs': frame.cs & SELECTOR,
    'frame.savedUpcallMask': (frame.cs >> 32n) & 0xffn,
    'frame.rflags': frame.rflags,
    'frame.rsp': frame.rsp,
    'frame.ss': frame.ss & SELECTOR,
    'frame.csQword': (frame.cs & CS_REST) === 0n ? null : frame.cs,
    'frame.ssQword': (frame.ss & ~SELECTOR) === 0n ? null : frame.ss,
    ...Object.fromEntries(GPR_NAMES.map((name) => [`regs.${name}`, at.gpr[name]])),
    rflags: at.rflags,
    ...Object.fromEntries(Object.entries(at.selectors).map(([name, selector]) => [name, BigInt(selector)])),
    upcallMask: BigInt(at.upcallMask),
    upcallPending: BigInt(at.upcallPending),
    cr2: at.cr2,
    fsBase: asked.fsBase,
    gsBase: asked.gsBase,
    kernelGsBase: asked.kernelGsBase,
    gsQword: gsQword(asked.gsQword),
    dr6: asked.dr6,
  }
}

function entryName(entry: EntryPoint): string {
  if (entry.kind === 'callback') return `callback:${entry.name}`
  return entry.vector === END_VECTOR ? 'end' : `trap:${hex(BigInt(entry.vector))}`
}

/** The vector's usual name, where it has one. */
function eventName(entry: EntryPoint): string | null {
  if (entry.kind !== 'trap') return null
  if (entry.vector === VECTOR_NMI) return 'NMI'
  const name = entry.vector < 32 ? vectorName(entry.vector) : ''
  return name.startsWith('#') ? name : null
}

/** The page whose mark was read is named by its address. */
function gsQword(seen: AskedState['gsQword']): bigint | string {
  if (typeof seen !== 'bigint') return seen.kind === 'trap' ? `fault:${hex(BigInt(seen.vector))}` : seen.name
  const marked = Object.entries(MARKS).find(([, mark]) => mark === seen)
  return marked === undefined ? seen : ANCHORS[marked[0] as keyof typeof MARKS]
}

/** How the domain ended. */
export const observeCrash = ({ reason, unhandled, faultAddress, ...regs }: DomainCrash): Observed => ({
  reason,
  unhandled: unhandled ?? null,
  faultAddress: faultAddress ?? null,
  ...regs,
})
