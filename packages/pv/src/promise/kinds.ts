import { DF, IF, RF, VECTOR_GP, VECTOR_NMI, VECTOR_NP, VECTOR_PF, VECTOR_SS, VECTOR_UD } from '@trapframe/core'
import { FLAT_USER_CS32, FLAT_USER_CS64, FLAT_USER_SS } from '@trapframe/xen'
import { IRET_HYPERCALL_RETURN, IRET_RFLAGS } from '../guest/kernel.js'
import type { FieldDifference, Moment } from './compare.js'
import type { Observed } from './observe.js'
import { codeSizeOf } from './program.js'

/**
 * The kinds of differences between IDT and FRED that a PV guest can see, by the numbers that `Differences` of the Xen
 * package has for them, and how each is told from what is seen. Those that the CPU itself shows are the only ones that revision `rfc`
 * cannot take back.
 */
export interface Kind {
  readonly number: number
  readonly about: string
  /** The CPU shows it, whatever Xen does: the promise of revision `rfc` leaves it out. */
  readonly byTheCpu?: true
  /** The guest's handlers lose it when they go back, so that a comparison can go on. */
  readonly masked?: true
  /** The recordings do not have it. */
  readonly unrecorded?: true
  /** Only CPUs on which SYSCALL works in compatibility mode show it. */
  readonly amdOnly?: true
  /** Whether a value that differs is of this kind. */
  shows?(difference: FieldDifference, moment: Moment): boolean
  /** Whether what nothing else explains can come of it: code that works with a register that is another one. */
  spreads?(moment: Moment): boolean
  /** Whether the guest goes another way because of it. */
  turns?(moment: Moment): boolean
}

const trap = (vector: number): string => `trap:0x${vector.toString(16)}`
const UD = trap(VECTOR_UD)
const GP = trap(VECTOR_GP)
const NP = trap(VECTOR_NP)
const PF = trap(VECTOR_PF)
const SS = trap(VECTOR_SS)

const entries = (moment: Moment, idt: string, fred: string): boolean =>
  entryOf(moment.idt) === idt && entryOf(moment.fred) === fred

/** How the guest's kernel was entered; an exception without handler counts as itself, though it ended the domain. */
function entryOf(seen: Observed | null): string {
  const lost = unhandled(seen)
  return lost === null ? String(seen?.entry ?? 'over') : trap(lost.vector)
}

const UNHANDLED = /^vec (\d+), [^[]*(?:\[([0-9a-f]+)\])?$/

/** The exception that had no handler. */
function unhandled(seen: Observed | null): { readonly vector: number; readonly code: bigint | null } | null {
  const match = UNHANDLED.exec(String(seen?.unhandled ?? ''))
  return match === null
    ? null
    : { vector: Number(match[1]), code: match[2] === undefined ? null : BigInt(`0x${match[2]}`) }
}

const sameEntry = ({ idt, fred }: Moment): boolean => entryOf(idt) === entryOf(fred)
function code(seen: Observed | null): bigint | null {
  const value = seen?.['frame.errorCode']
  return typeof value === 'bigint' ? value : (unhandled(seen)?.code ?? null)
}

/** A pair of numbers; null where one of them is none. */
function numbers({ idt, fred }: FieldDifference): { readonly idt: bigint; readonly fred: bigint } | null {
  return typeof idt === 'bigint' && typeof fred === 'bigint' ? { idt, fred } : null
}

/** Fields, or memory, in which a frame is. */
const inFrame = (field: string, ...names: readonly string[]): boolean =>
  field === 'memory' || names.some((name) => field === `frame.${name}`)

const bits = (mask: number): bigint => BigInt(mask)
const GATE_OF_INT80 = 0x402n
const GATE = 2n
const HIGH_48 = ~0xffffn
const NUL = 3n
/** The same in either half of a quadword. */
const NUL_IN_HALVES = 0x3_0000_0003n
const LOW_32 = 0xffff_ffffn
const HIGH_32 = 1n << 32n
const DATA_SEGMENTS: readonly string[] = ['gs', 'ds', 'es', 'fs']
const TABLE_LDT = 4n
const SELECTOR = 0xffffn
/** VIF and VIP, which POPF leaves as they are. */
const UNCHANGED = 0x18_0000n

/** Prefixes that a SYSCALL, an INT n or one of the instructions of kind 10 may have. */
const isPrefix = (byte: number): boolean =>
  (byte & 0xf0) === 0x40 || [0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65].includes(byte)

/** The bytes at the frame's RIP without prefixes. */
function opcode(moment: Moment, delivery: 'idt' | 'fred'): readonly number[] {
  const bytes = [...(moment.bytes(delivery, 0, 16) ?? [])]
  while (bytes.length > 0 && isPrefix(bytes[0]!)) bytes.shift()
  return bytes
}

const startsWith = (bytes: readonly number[], start: readonly number[]): boolean =>
  start.every((byte, i) => bytes[i] === byte)

/** SWAPGS, SYSRET, SYSEXIT, SETSSBSY; CLRSSBSY has a memory operand. */
const NOT_IN_RING_3: readonly (readonly number[])[] = [
  [0x0f, 0x01, 0xf8],
  [0x0f, 0x07],
  [0x0f, 0x35],
  [0x0f, 0x01, 0xe8],
]
const isClrssbsy = (bytes: readonly number[]): boolean =>
  startsWith(bytes, [0x0f, 0xae]) && ((bytes[2] ?? 0) & 0x38) === 0x30

const ICEBP = 0xf1

/** The iret hypercall that led here had VGCF_in_syscall. */
const cameInSyscall = ({ program, index }: Moment): boolean =>
  program.start.inSyscall || (index > 0 && program.returns.inSyscall)
/** CS or SS of the frame are others than SYSRET forces. */
const otherSelectors = ({ left: { cs, ss } }: Moment): boolean =>
  ![FLAT_USER_CS64, FLAT_USER_CS32].includes(Number(cs) | 3) || (Number(ss) | 3) !== FLAT_USER_SS

/** The selectors that the guest was interrupted with are not the same. */
const showsOtherSelectors = ({ idt, fred }: Moment): boolean =>
  ['frame.cs', 'frame.ss', 'crash.cs', 'crash.ss'].some((name) => selectorOf(idt, name) !== selectorOf(fred, name))

function selectorOf(seen: Observed | null, name: string): bigint | null {
  const value = seen?.[name]
  return typeof value === 'bigint' ? value & SELECTOR : null
}

/** SYSRET clears RF, so that the IDT meets a breakpoint at the instruction that it returns to. */
const metBreakpoint = (moment: Moment): boolean => entryOf(moment.idt) === trap(1) && !sameEntry(moment)

/** CS or SS of the frame are of the LDT. */
const startsInLdt = ({ left: { cs, ss } }: Moment): boolean => ((cs | ss) & TABLE_LDT) !== 0n

/** The entry is about a SYSCALL: one of its callbacks, or the #UD in the stead of it. */
const aboutSyscall = (moment: Moment): boolean =>
  containsSyscall(moment) &&
  (/^(callback|crash):/.test(entryOf(moment.fred)) || [UD, trap(VECTOR_NMI)].includes(entryOf(moment.fred)))

const containsSyscall = ({ program }: Moment): boolean => program.code.some((text) => text.includes('syscall'))
const containsSysenter = ({ program }: Moment): boolean => program.code.some((text) => text.includes('sysenter'))

const canonical = (address: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, address)) === address

/**
 * A frame whose RIP is not canonical: FRED complains of that, the IDT of a selector, for which it may have brought in and
 * audited a page of the LDT.
 */
const checksRipFirst = ({ left, idt, fred }: Moment): boolean =>
  !canonical(left.rip) &&
  ([NP, GP, SS].includes(entryOf(idt)) ? code(idt) !== 0n : entryOf(idt) === PF) &&
  entryOf(fred) === GP &&
  code(fred) === 0n

/** All kinds, the recorded ones by their numbers, and those that only the search has found. */
export const KINDS: readonly Kind[] = [
  {
    number: 1,
    about: 'the SS slot of a bounce frame holds FRED’s event information',
    masked: true,
    shows(difference) {
      const pair = numbers(difference)
      if (pair === null || !inFrame(difference.field, 'ss')) return false
      return (pair.idt & HIGH_48) === 0n && (pair.idt ^ pair.fred) === (pair.fred & HIGH_48)
    },
  },
  {
    number: 2,
    about: 'RF in the frame of an INT n, which is a fault under the IDT and a trap under FRED',
    shows(difference) {
      const pair = numbers(difference)
      if (pair === null || !(inFrame(difference.field, 'rflags') || difference.field === 'crash.rflags')) return false
      return (pair.idt ^ pair.fred) === bits(RF) && (pair.fred & bits(RF)) === 0n
    },
  },
  {
    number: 3,
    about: 'INT 80h does not ask for the DPL of the trap table under the IDT',
    turns: (moment) => entryOf(moment.idt) === trap(0x80) && refusedInt80(moment.fred),
  },
  {
    number: 4,
    about: 'RIP goes back by 2 under the IDT, by the real length under FRED',
    byTheCpu: true,
    shows(difference, moment) {
      const pair = numbers(difference)
      if (pair === null || !(inFrame(difference.field, 'rip') || difference.field === 'crash.rip')) return false
      // Two bytes are what every SYSCALL and INT n has: what is more are prefixes.
      const further = pair.idt - pair.fred
      const prefixes = moment.bytes('fred', 0, 16)
      if (further <= 0n || further > 13n) return false
      return (
        difference.field !== 'frame.rip' ||
        (prefixes !== null && [...prefixes.slice(0, Number(further))].every(isPrefix))
      )
    },
  },
  {
    number: 4,
    about: 'a REX prefix before INT n is not understood under the IDT',
    turns({ idt, fred }) {
      const vector = /^trap:0x([0-9a-f]+)$/.exec(entryOf(fred))?.[1] ?? (entryOf(fred) === 'end' ? 'f1' : null)
      if (vector === null || entryOf(idt) !== GP || code(fred) !== null) return false
      return code(idt) === BigInt(`0x${vector}`) * 8n + GATE
    },
  },
  {
    number: 5,
    about: 'SYSENTER leaves IF clear under FRED',
    shows(difference, moment) {
      const pair = numbers(difference)
      if (pair === null || !containsSysenter(moment)) return false
      if (!['rflags', 'regs.r11', 'crash.rflags'].includes(difference.field) && difference.field !== 'memory')
        return false
      return (pair.idt ^ pair.fred) === bits(IF) && (pair.fred & bits(IF)) === 0n
    },
  },
  {
    number: 6,
    about: 'the iret hypercall with VGCF_in_syscall returns by SYSRET under the IDT: RCX and R11, CS and SS are its',
    shows(difference, moment) {
      const pair = numbers(difference)
      if (pair === null || !cameInSyscall(moment)) return false
      const { field } = difference
      if (inFrame(field, 'rcx', 'r11') || field === 'regs.rcx' || field === 'regs.r11') {
        return pair.fred === IRET_HYPERCALL_RETURN || (pair.fred & ~UNCHANGED) === IRET_RFLAGS
      }
      const lostRf = (pair.idt ^ pair.fred) === bits(RF) && (pair.fred & bits(RF)) !== 0n
      return ['frame.rflags', 'crash.rflags'].includes(field) && lostRf
    },
    turns: (moment) =>
      cameInSyscall(moment) &&
      ((otherSelectors(moment) && (showsOtherSelectors(moment) || !sameEntry(moment))) || metBreakpoint(moment)),
    spreads: cameInSyscall,
  },
  {
    number: 7,
    about:
      'RFLAGS at the SYSCALL callback: DF is lost under FRED, and more under the IDT by an AND with the stack pointer',
    shows(difference, moment) {
      const pair = numbers(difference)
      if (pair === null || !aboutSyscall(moment)) return false
      const { field } = difference
      if (inFrame(field, 'rflags') || field === 'crash.rflags')
        return (pair.idt ^ pair.fred) === bits(DF) && (pair.idt & bits(DF)) !== 0n
      const changed = pair.idt ^ pair.fred
      return ['rflags', 'regs.r11'].includes(field) && (changed & ~bits(DF) & pair.idt) === 0n
    },
  },
  {
    number: 8,
    about:
      'the first use of the LDT by the frame of an iret hypercall: mapped under the IDT, #PF with CR2 = 0 under FRED',
    shows: ({ field }, moment) =>
      field === 'cr2' && moment.fred?.cr2 === 0n && entries(moment, PF, PF) && startsInLdt(moment),
    turns: (moment) => startsInLdt(moment) && !sameEntry(moment) && pageFaultAtZero(moment.fred),
  },
  {
    number: 9,
    about: 'a NUL selector 1 to 3 in GS, DS, ES or FS survives a return to ring 3 under FRED',
    byTheCpu: true,
    shows(difference, moment) {
      const pair = numbers(difference)
      if (
        pair === null ||
        !DATA_SEGMENTS.some((name) => selectorOf(moment.idt, name) !== selectorOf(moment.fred, name))
      ) {
        return false
      }
      // The selector, or where the guest has stored it.
      const { field } = difference
      return (
        (DATA_SEGMENTS.includes(field) && pair.idt === 0n && pair.fred <= NUL) ||
        ((field === 'memory' || field.startsWith('regs.')) && ((pair.idt ^ pair.fred) & ~NUL_IN_HALVES) === 0n)
      )
    },
  },
  {
    number: 10,
    about: 'SWAPGS, SYSRET, SYSEXIT, CLRSSBSY, SETSSBSY in ring 3: #GP(0) under the IDT, #UD under FRED',
    byTheCpu: true,
    turns(moment) {
      if (!entries(moment, GP, UD) || code(moment.idt) !== 0n) return false
      const bytes = opcode(moment, 'fred')
      return NOT_IN_RING_3.some((start) => startsWith(bytes, start)) || isClrssbsy(bytes)
    },
  },
  {
    number: 11,
    about: 'a far CALL or JMP to a call gate that is not present: #NP under the IDT, #GP under FRED',
    byTheCpu: true,
    turns: (moment) => entries(moment, NP, GP) && code(moment.idt) === code(moment.fred) && code(moment.idt) !== 0n,
  },
  {
    number: 12,
    about:
      'a frame with a RIP that is not canonical and a bad CS or SS: the selector’s fault under the IDT, #GP(0) under FRED',
    byTheCpu: true,
    turns: checksRipFirst,
  },
  {
    number: 13,
    about: 'DR6 with ICEBP: only FRED merges the conditions that were pending',
    byTheCpu: true,
    shows(difference, moment) {
      const pair = numbers(difference)
      if (pair === null || difference.field !== 'dr6' || (pair.idt & ~pair.fred) !== 0n) return false
      return entries(moment, trap(1), trap(1)) && moment.bytes('fred', -1, 1)?.[0] === ICEBP
    },
  },
  {
    number: 14,
    about: 'SYSCALL of 32-bit code in guest kernel is the syscall32 callback under the IDT, a hypercall under FRED',
    amdOnly: true,
    turns: (moment) =>
      ['callback:syscall32', UD].includes(entryOf(moment.idt)) &&
      !sameEntry(moment) &&
      codeSizeOf(Number(moment.left.cs)) === 32 &&
      containsSyscall(moment),
  },
  {
    number: 14,
    about: 'the syscall32 callback masks by the flag of the syscall callback under the IDT, by its own under FRED',
    amdOnly: true,
    shows: ({ field }, moment) => field === 'upcallMask' && entries(moment, 'callback:syscall32', 'callback:syscall32'),
    turns: ({ idt, fred }) =>
      [idt, fred].map(entryOf).every((entry) => ['callback:syscall32', 'callback:event'].includes(entry)) &&
      entryOf(idt) !== entryOf(fred),
  },
  {
    number: 15,
    about: 'a return to 32-bit code leaves the upper half of RSP under the IDT and clears it under FRED',
    byTheCpu: true,
    unrecorded: true,
    shows(difference, moment) {
      const pair = numbers(difference)
      if (pair === null || moment.left.rsp < HIGH_32 || codeSizeOf(Number(moment.left.cs)) !== 32) return false
      return difference.field === 'faultAddress' || pair.fred === (pair.idt & LOW_32)
    },
    turns: (moment) => moment.left.rsp >= HIGH_32 && codeSizeOf(Number(moment.left.cs)) === 32 && !sameEntry(moment),
  },
]

/** #GP with the gate of INT 80h. */
const refusedInt80 = (seen: Observed | null): boolean => entryOf(seen) === GP && code(seen) === GATE_OF_INT80

const pageFaultAtZero = (seen: Observed | null): boolean =>
  entryOf(seen) === PF && (seen?.cr2 ?? seen?.faultAddress) === 0n

/** Numbers of all kinds. */
export const KIND_NUMBERS: readonly number[] = [...new Set(KINDS.map(({ number }) => number))]
