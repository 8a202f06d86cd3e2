import {
  type Cpu,
  createMachine,
  type Machine,
  PAGE_PRESENT,
  PAGE_SHADOW_STACK,
  PAGE_USER,
  PAGE_WRITABLE,
  type RaisedEvent,
  raise,
  writeMsr,
} from '@trapframe/core'
import { isa } from '@trapframe/isa'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ENTRY_PAGE, guestGsBase, hostGsBase, RING0_ENTRY, shadowTop, stackTop } from '../flat/memory.js'
import { IA32_FRED_CONFIG, IA32_FRED_STKLVLS } from '../msrs.js'
import { fred } from '../plugin.js'

const vector = fc.nat({ max: 255 })
const anyEvent: fc.Arbitrary<RaisedEvent> = fc.oneof(
  fc.record({ kind: fc.constant('externalInterrupt' as const), vector }),
  fc.constant({ kind: 'nmi' as const }),
  fc
    .constantFrom(0, 1, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21)
    .map((number) => ({ kind: 'hardwareException' as const, vector: number })),
  fc.record({ kind: fc.constant('softwareInterrupt' as const), vector }),
  fc.constantFrom({ kind: 'int1' as const }, { kind: 'int3' as const }, { kind: 'into' as const }),
  fc.constantFrom({ kind: 'syscall' as const }, { kind: 'sysenter' as const }),
)

/** What happens next: an event, after the handler has used some of its stack, or a return from the innermost handler. */
type Step = { readonly event: RaisedEvent; readonly used: number } | 'return'
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ event: anyEvent, used: fc.nat({ max: 160 }) }) },
  { weight: 2, arbitrary: fc.constant('return' as const) },
)

const anyConfiguration = fc.record({
  levels: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
  interruptLevel: fc.nat({ max: 3 }),
  redZone: fc.nat({ max: 7 }),
  shadowStacks: fc.boolean(),
  shadowGap: fc.boolean(),
})

/** A context that is not finished: what it holds on its stacks must not change, and it is where returning leads. */
interface Context {
  readonly frame: bigint
  readonly returns: boolean
  readonly low: bigint
  readonly bytes: Uint8Array
  readonly shadowLow: bigint
  readonly shadow: Uint8Array
}

const MOST_NESTED = 4

/** The level whose stack page an address lies in, with the attributes that such a page must have. */
function levelOf(cpu: Cpu, address: bigint, top: (cpu: number, level: number) => bigint, flags: number): number {
  const level = [0, 1, 2, 3].find((n) => address >= top(cpu.id, n) - 0x1000n && address < top(cpu.id, n))
  expect(level, `0x${address.toString(16)} is on no stack`).toBeDefined()
  expect(cpu.space.flagsAt(address) & (PAGE_PRESENT | PAGE_USER | flags)).toBe(PAGE_PRESENT | flags)
  return level!
}

function checkGoodStack(machine: Machine, live: readonly Context[]): void {
  const { cpu } = machine
  const config = cpu.get64(machine.msrs.get(IA32_FRED_CONFIG)!.slot)
  expect(cpu.cpl).toBe(0)
  expect(cpu.gsBase).toBe(hostGsBase(0))
  expect(cpu.rsp & 63n).toBe(0n)
  const level = levelOf(cpu, cpu.rsp, stackTop, PAGE_WRITABLE)
  expect(levelOf(cpu, cpu.rsp + 63n, stackTop, PAGE_WRITABLE)).toBe(level)
  expect(BigInt(level)).toBe(config & 3n)
  if (cpu.supervisorShadowStack) {
    expect(levelOf(cpu, cpu.ssp - 8n, shadowTop, PAGE_SHADOW_STACK)).toBe(level)
  }
  for (const { low, bytes, shadowLow, shadow } of live) {
    expect(cpu.space.read(low, bytes.length)).toEqual(bytes)
    expect(cpu.space.read(shadowLow, shadow.length)).toEqual(shadow)
  }
}

test('A1: any event, at any level, however nested, lands on a good CPL 0 stack and clobbers nothing that is live', () => {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred(), isa()] })
  const { cpu } = machine
  const pristine = machine.snapshot()
  fc.assert(
    fc.property(anyConfiguration, fc.array(anyStep, { maxLength: 30 }), (configuration, steps) => {
      const { levels, interruptLevel, redZone, shadowStacks, shadowGap } = configuration
      machine.restore(pristine)
      machine.boot('flat-fred', { options: { shadowStacks } })
      writeMsr(cpu, IA32_FRED_STKLVLS, levels)
      const config = (interruptLevel << 9) | (redZone << 6) | (shadowGap ? 8 : 0)
      writeMsr(cpu, IA32_FRED_CONFIG, ENTRY_PAGE | BigInt(config))
      const live: Context[] = []
      for (const step of steps) {
        if (step === 'return') {
          if (live.length > 0 && live.at(-1)!.returns) comeBack(machine, live)
        } else if (live.length < MOST_NESTED) {
          raise(cpu, step.event)
          checkGoodStack(machine, live)
          live.push(use(cpu, live.length === 0, step.used, 64 * redZone))
        }
      }
      while (live.length > 0 && live.at(-1)!.returns) comeBack(machine, live)
    }),
    { numRuns: 300 },
  )
})

/** The innermost handler returns, through the code at the entry points. */
function comeBack(machine: Machine, live: Context[]): void {
  const { cpu } = machine
  cpu.rsp = live.pop()!.frame
  cpu.rip = live.length === 0 ? ENTRY_PAGE : RING0_ENTRY
  machine.step()
  expect(cpu.cpl).toBe(live.length === 0 ? 3 : 0)
  expect(cpu.gsBase).toBe(live.length === 0 ? guestGsBase(0) : hostGsBase(0))
}

/** The handler fills some of its stack, and the red zone below that, and is then in the middle of its work. */
function use(cpu: Cpu, fromRing3: boolean, used: number, redZone: number): Context {
  const frame = cpu.rsp
  const low = frame - BigInt(used + redZone)
  cpu.space.write(low, new Uint8Array(used + redZone).fill(0xa5))
  cpu.rsp = frame - BigInt(used)
  const shadowBytes = cpu.supervisorShadowStack ? 24 : 0
  const shadowTopNow = [0, 1, 2, 3].some((level) => shadowTop(0, level) === cpu.ssp)
  return {
    frame,
    // ERETU is #GP on a level above 0, where only #DF brings ring 3.
    returns: !fromRing3 || frame === stackTop(0, 0) - 64n,
    low,
    bytes: cpu.space.read(low, used + redZone + 64),
    shadowLow: cpu.ssp,
    shadow: cpu.space.read(cpu.ssp, shadowTopNow ? 0 : shadowBytes),
  }
}
