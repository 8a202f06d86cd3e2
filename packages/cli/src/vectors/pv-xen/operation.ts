import {
  ANCHORS,
  CALLBACK_NAMES,
  GUEST_GDT,
  guestHypercalls as hypercalls,
  guestOperations as operations,
  type PvGuest,
  type SegmentRegister,
} from '@trapframe/pv'
import { number } from './number.js'
import { bool, count, type Json, list, object, text, word } from './read.js'

/** An operation of a set-up, done by the guest's kernel; its results are numbers, negative ones errors. */
export type Operation = (guest: PvGuest) => readonly bigint[]

const one =
  (run: (guest: PvGuest) => bigint): Operation =>
  (guest) => [run(guest)]

/** For what has no result. */
const done =
  (run: (guest: PvGuest) => void): Operation =>
  (guest) => {
    run(guest)
    return [0n]
  }

const SEGMENTS: readonly SegmentRegister[] = ['ds', 'es', 'fs', 'gs']
const TABLES = { gdt: GUEST_GDT, ldt: ANCHORS.ldt } as const
const MOST_ENTRIES = 8192

/** A descriptor's place in the guest's memory. */
function descriptorPlace({ table, index }: Json, what: string): bigint {
  const base = TABLES[word(table, `${what}.table`, ['gdt', 'ldt'])]
  return base + BigInt(8 * count(index, `${what}.index`, MOST_ENTRIES - 1))
}

/** Flat ring 3 data, for a base of 32 bits. */
const DATA_SEGMENT = 0x00cf_f300_0000_ffffn

function descriptor(value: unknown, what: string): bigint {
  if (typeof value === 'string') return number(value, what)
  const base = number(object(value, what).dataSegmentWithBase, `${what}.dataSegmentWithBase`)
  return DATA_SEGMENT | ((base & 0xff_ffffn) << 16n) | (((base >> 24n) & 0xffn) << 56n)
}

const vector = (value: unknown, what: string): number => {
  const n = number(value, what)
  if (n > 255n) throw new Error(`${what} is no vector: ${JSON.stringify(value)}`)
  return Number(n)
}

function segmentBase(value: unknown, what: string): bigint {
  const name = text(value, what)
  const { SEGMENT_BASES } = hypercalls
  return Object.hasOwn(SEGMENT_BASES, name) ? SEGMENT_BASES[name as keyof typeof SEGMENT_BASES] : number(name, what)
}

/** What makes an operation of its fields, by name. */
const READERS: Readonly<Record<string, (fields: Json, what: string) => Operation>> = {
  setTrapTable(fields, what) {
    const trap = {
      vector: vector(fields.vector, `${what}.vector`),
      dpl: count(fields.dpl, `${what}.dpl`, 3),
      maskEvents: bool(fields.maskEvents, `${what}.maskEvents`),
      cs: Number(number(fields.cs, `${what}.cs`) & 0xffffn),
      address: number(fields.address, `${what}.address`),
    }
    return one((guest) => hypercalls.setTraps(guest, [trap]))
  },
  clearTrapTableEntry(fields, what) {
    const n = vector(fields.vector, `${what}.vector`)
    return one((guest) => hypercalls.clearTrap(guest, n))
  },
  registerCallback(fields, what) {
    const type = word(fields.type, `${what}.type`, CALLBACK_NAMES)
    const masks = bool(fields.maskEvents, `${what}.maskEvents`)
    const address = number(fields.address, `${what}.address`)
    return one((guest) => hypercalls.registerCallback(guest, type, address, masks))
  },
  setSegmentBase(fields, what) {
    const which = segmentBase(fields.which, `${what}.which`)
    const value = number(fields.value, `${what}.value`)
    return one((guest) => hypercalls.setSegmentBase(guest, which, value))
  },
  loadSelector(fields, what) {
    const segment = word(fields.segment, `${what}.segment`, SEGMENTS)
    const selector = number(fields.selector, `${what}.selector`)
    return one((guest) => {
      const fault = operations.loadSelector(guest, segment, selector)
      return fault === null ? 0n : BigInt(fault) + 1n
    })
  },
  readSelector(fields, what) {
    const segment = word(fields.segment, `${what}.segment`, SEGMENTS)
    return one((guest) => operations.readSelector(guest, segment))
  },
  rdmsr(fields, what) {
    const index = number(fields.msr, `${what}.msr`)
    return one((guest) => operations.readMsr(guest, index))
  },
  vmAssist(fields, what) {
    const type = word(fields.type, `${what}.type`, Object.keys(hypercalls.VM_ASSISTS) as hypercalls.VmAssist[])
    const enable = bool(fields.enable, `${what}.enable`)
    return one((guest) => hypercalls.vmAssist(guest, type, enable))
  },
  physdevSetIopl(fields, what) {
    const iopl = count(fields.iopl, `${what}.iopl`, 0xffff)
    return one((guest) => hypercalls.setIopl(guest, iopl))
  },
  updateDescriptor(fields, what) {
    const place = descriptorPlace(fields, what)
    const value = descriptor(fields.value, `${what}.value`)
    return one((guest) => hypercalls.updateDescriptor(guest, place, value))
  },
  readDescriptor(fields, what) {
    const place = descriptorPlace(fields, what)
    return one((guest) => operations.readQword(guest, place))
  },
  setLdt(fields, what) {
    const entries = count(fields.entries, `${what}.entries`, 0xffff)
    return one((guest) => hypercalls.setLdt(guest, ANCHORS.ldt, entries))
  },
  setDebugreg(fields, what) {
    const reg = count(fields.reg, `${what}.reg`, 255)
    const value = number(fields.value, `${what}.value`)
    return one((guest) => hypercalls.setDebugreg(guest, reg, value))
  },
  getDebugreg(fields, what) {
    const reg = count(fields.reg, `${what}.reg`, 255)
    return one((guest) => hypercalls.getDebugreg(guest, reg))
  },
  fpuTaskswitch(fields, what) {
    const set = bool(fields.set, `${what}.set`)
    return one((guest) => hypercalls.fpuTaskswitch(guest, set))
  },
  setCr4Bits(fields, what) {
    const bits = number(fields.bits, `${what}.bits`)
    return done((guest) => operations.setCr4Bits(guest, bits))
  },
  sendEvent: () => one(hypercalls.sendEvent),
  sendNmi: () => one(operations.sendNmi),
  stackSwitch(fields, what) {
    const ss = number(fields.ss, `${what}.ss`)
    const rsp = number(fields.rsp, `${what}.rsp`)
    return one((guest) => hypercalls.stackSwitch(guest, ss, rsp))
  },
  writeQword(fields, what) {
    const address = number(fields.address, `${what}.address`)
    const value = number(fields.value, `${what}.value`)
    return done((guest) => operations.writeQword(guest, address, value))
  },
  hypercall(fields, what) {
    const call = count(fields.number, `${what}.number`, 0xffff_ffff)
    const args = list(fields.args, `${what}.args`).map((arg, i) => number(arg, `${what}.args[${i}]`))
    return one((guest) => guest.hypercall(call, ...args))
  },
  cpuid(fields, what) {
    const leaf = number(fields.leaf, `${what}.leaf`)
    const subleaf = number(fields.subleaf, `${what}.subleaf`)
    return (guest) => operations.forcedCpuid(guest, leaf, subleaf)
  },
}

/** A list of operations; none where it is left out. @throws Error naming the part that is wrong */
export function readOperations(value: unknown, what: string): readonly Operation[] {
  if (value === undefined) return []
  return list(value, what).map((item, i) => {
    const where = `${what}[${i}]`
    const fields = object(item, where)
    const name = text(fields.op, `${where}.op`)
    const reader = Object.hasOwn(READERS, name) ? READERS[name] : undefined
    if (reader === undefined) throw new Error(`${where}.op is no operation that is known here: "${name}"`)
    return reader(fields, where)
  })
}
