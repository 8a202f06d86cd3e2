import {
  ARITHMETIC_FLAGS,
  CONTROL_NAMES,
  type Driver,
  GPR_NAMES,
  type InitialState,
  type Machine,
  machineDriver,
  type Registers,
  SEGMENT_NAMES,
  type Segment,
  UnsupportedError,
} from '@trapframe/core'
import type { Mismatch } from './format.js'
import type { FinalState, StateVector } from './state-format.js'
import { undefinedFlags } from './undefined-flags.js'

/** At most 16 instructions run in a vector, and repeated string instructions iterate. */
const STEP_LIMIT = 4096

const drivers = new WeakMap<Machine, Driver>()

/** Loads, runs and compares one vector. */
export function playStateVector(machine: Machine, vector: StateVector): Mismatch | null {
  let driver = drivers.get(machine)
  if (driver === undefined) {
    driver = machineDriver(machine)
    drivers.set(machine, driver)
  }
  driver.load(vector.initial)
  if (vector.injection) driver.inject(vector.injection)
  let undefinedMask = 0
  try {
    const outcome = driver.run(STEP_LIMIT, (mnemonic) => {
      undefinedMask |= undefinedFlags(mnemonic)
    })
    if (outcome !== vector.outcome) return { field: 'outcome', expected: vector.outcome, actual: outcome }
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error
    return { field: error.what, expected: 'modelled', actual: error.message }
  }
  return compare(vector, driver, undefinedMask)
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`

function compare(vector: StateVector, driver: Driver, undefinedMask: number): Mismatch | null {
  const { initial, final } = vector
  const listed = vector.listedOnly || vector.outcome === 'shutdown'
  const actual = driver.read()
  return (
    compareRegisters(initial, final, actual, listed, undefinedMask) ??
    compareMsrs(initial, final, actual, listed) ??
    compareMemory(initial, final, driver, listed)
  )
}

function compareRegisters(
  initial: InitialState,
  final: FinalState,
  actual: Registers,
  listed: boolean,
  undefinedMask: number,
): Mismatch | null {
  const differs = (field: string, expected: bigint | number | undefined, found: bigint | number): Mismatch | null =>
    expected === undefined || BigInt(expected) === BigInt(found)
      ? null
      : { field, expected: hex(expected), actual: hex(found) }
  const unless = <T>(value: T): T | undefined => (listed ? undefined : value)
  const flags = ~BigInt(undefinedMask & ARITHMETIC_FLAGS)
  const rflags = final.rflags ?? unless(initial.rflags)
  let found =
    differs('rip', final.rip ?? unless(initial.rip), actual.rip) ??
    differs('cpl', final.cpl ?? unless(initial.cpl), actual.cpl) ??
    differs('rflags', rflags === undefined ? undefined : rflags & flags, actual.rflags & flags)
  for (const name of GPR_NAMES) {
    found ??= differs(`gpr.${name}`, final.gpr[name] ?? unless(initial.gpr[name]), actual.gpr[name])
  }
  for (const name of SEGMENT_NAMES) {
    const expected = final.segments[name] ?? unless(initial.segments[name])
    if (expected) found ??= compareSegment(name, expected, actual.segments[name])
  }
  for (const name of CONTROL_NAMES) {
    found ??= differs(name, final.control[name] ?? unless(initial.control[name]), actual.control[name])
  }
  if (initial.ssp !== undefined) found ??= differs('ssp', final.ssp ?? unless(initial.ssp), actual.ssp ?? 0n)
  if (!listed) {
    found ??=
      differs('gdtr.base', initial.gdtr.base, actual.gdtr.base) ??
      differs('gdtr.limit', initial.gdtr.limit, actual.gdtr.limit) ??
      differs('idtr.base', initial.idtr.base, actual.idtr.base) ??
      differs('idtr.limit', initial.idtr.limit, actual.idtr.limit)
  }
  for (const name of ['nmi', 'sti', 'movss'] as const) {
    const expected = final.blocking?.[name] ?? unless(initial.blocking[name])
    if (expected !== undefined && expected !== actual.blocking[name]) {
      found ??= { field: `blocking.${name}`, expected: String(expected), actual: String(actual.blocking[name]) }
    }
  }
  return found
}

function compareSegment(name: string, expected: Segment, actual: Segment): Mismatch | null {
  for (const field of ['selector', 'base', 'limit', 'access'] as const) {
    if (BigInt(expected[field]) !== BigInt(actual[field])) {
      return { field: `${name}.${field}`, expected: hex(expected[field]), actual: hex(actual[field]) }
    }
  }
  return null
}

/** MSRs that are another name of a register which a vector states elsewhere. */
const STATED_ELSEWHERE = new Set([0xc000_0080, 0xc000_0100, 0xc000_0101])

function compareMsrs(initial: InitialState, final: FinalState, actual: Registers, listed: boolean): Mismatch | null {
  const indices = listed ? final.msr.keys() : new Set([...actual.msr.keys(), ...final.msr.keys()])
  for (const index of indices) {
    if (STATED_ELSEWHERE.has(index)) continue
    const expected = final.msr.get(index) ?? initial.msr.get(index) ?? 0n
    const found = actual.msr.get(index) ?? 0n
    if (expected !== found) return { field: `msr ${hex(index)}`, expected: hex(expected), actual: hex(found) }
  }
  return null
}

/** Every mapped byte is compared: `final` over `initial` over zeros. */
function compareMemory(initial: InitialState, final: FinalState, driver: Driver, listed: boolean): Mismatch | null {
  if (listed) {
    for (const { address, bytes } of final.memory) {
      const found = compareBytes(address, bytes, driver.readMemory(address, bytes.length))
      if (found) return found
    }
    return null
  }
  for (const page of initial.pages) {
    const length = page.count * 4096
    const expected = new Uint8Array(length)
    for (const { address, bytes } of [...initial.memory, ...final.memory]) {
      overlay(expected, page.address, address, bytes)
    }
    const found = compareBytes(page.address, expected, driver.readMemory(page.address, length))
    if (found) return found
  }
  return null
}

function overlay(into: Uint8Array, base: bigint, address: bigint, bytes: Uint8Array): void {
  const start = address - base
  if (start >= BigInt(into.length) || start + BigInt(bytes.length) <= 0n) return
  const offset = Number(start)
  for (let i = 0; i < bytes.length; i++) {
    const at = offset + i
    if (at >= 0 && at < into.length) into[at] = bytes[i]!
  }
}

function compareBytes(base: bigint, expected: Uint8Array, actual: Uint8Array): Mismatch | null {
  if (Buffer.compare(expected, actual) === 0) return null
  const at = expected.findIndex((byte, i) => byte !== actual[i])
  const dump = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(at, at + 8)).toString('hex')
  return { field: `memory ${hex(base + BigInt(at))}`, expected: dump(expected), actual: dump(actual) }
}
