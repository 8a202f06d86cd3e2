import {
  CPL,
  type Cpu,
  type CpuEvent,
  CR2,
  CR4,
  CS,
  createMachine,
  DR6,
  DR7,
  deliverEvent,
  externalInterrupt,
  Fault,
  faultEvent,
  GS_BASE,
  instructionEvent,
  isInstructionEvent,
  KERNEL_GS_BASE,
  type Machine,
  MCG_STATUS,
  nmi,
  PAGE_USER,
  PAGE_WRITABLE,
  PENDING_DEBUG,
  PL3_SSP,
  RFLAGS,
  RIP,
  RSP,
  SEGMENT_WORDS,
  SS,
  SSP,
  STATUS,
  segmentSlot,
} from '@trapframe/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ENTRY_PAGE, PAGE, shadowTop, stackTop } from '../flat/memory.js'
import { readFrame } from '../frame/frame.js'
import { IA32_FRED_CONFIG, IA32_FRED_RSP0, IA32_FRED_SSP0, IA32_FRED_SSP1 } from '../msrs.js'
import { fred } from '../plugin.js'

/** Something wrong with the stacks, shadow stacks or MSRs that a delivery may need. */
type Damage = (machine: Machine) => void

const level = fc.nat({ max: 3 })
const CR4_SMAP = 1n << 21n
const setMsr = ({ cpu, msrs }: Machine, index: number, value: bigint): void => cpu.set64(msrs.get(index)!.slot, value)

const anyDamage: fc.Arbitrary<Damage> = fc.oneof(
  level.map(
    (n) =>
      ({ cpu }: Machine) =>
        cpu.space.unmap(stackTop(0, n) - PAGE),
  ),
  level.map(
    (n) =>
      ({ cpu }: Machine) =>
        cpu.space.map(stackTop(0, n) - PAGE, PAGE_USER | PAGE_WRITABLE),
  ),
  level.map(
    (n) =>
      ({ cpu }: Machine) =>
        cpu.space.unmap(shadowTop(0, n) - PAGE),
  ),
  level.map(
    (n) =>
      ({ cpu }: Machine) =>
        cpu.space.map(shadowTop(0, n) - PAGE, PAGE_WRITABLE),
  ),
  // what WRMSR would refuse can come from a restored image: 0, and addresses that are canonical only with 57 bits
  fc.tuple(level, fc.constantFrom(0n, 1n << 62n, stackTop(0, 1) - PAGE)).map(
    ([n, value]) =>
      (machine: Machine) =>
        setMsr(machine, IA32_FRED_RSP0 + n, value),
  ),
  fc.tuple(level, fc.constantFrom(0n, 1n << 62n, 4n)).map(
    ([n, value]) =>
      (machine: Machine) =>
        setMsr(machine, n === 0 ? IA32_FRED_SSP0 : IA32_FRED_SSP1 + n - 1, value),
  ),
  fc.constant(({ cpu }: Machine) => cpu.setControl(CR4, cpu.cr4 | CR4_SMAP)),
)

const anyEvent: fc.Arbitrary<CpuEvent> = fc.oneof(
  fc.constantFrom(externalInterrupt(0x30), nmi()),
  fc.constantFrom(1, 6, 8, 11, 13, 14, 18).map((vector) => faultEvent(new Fault(vector, 0, 0x800, 0), false)),
  fc.constantFrom(
    instructionEvent(4, 0x80, 2),
    instructionEvent(5, 1, 1),
    instructionEvent(6, 3, 1),
    instructionEvent(7, 1, 2),
  ),
)

const anyCase = fc.record({
  site: fc.constantFrom('guest' as const, 'host' as const),
  shadowStacks: fc.boolean(),
  event: anyEvent,
  damage: fc.array(anyDamage, { maxLength: 3 }),
  level,
  /** Ring 0's own stack pointer and SSP, which may be near the edge of their pages or nowhere. */
  rsp: fc.constantFrom(stackTop(0, 0) - 5n, stackTop(0, 0) - PAGE + 32n, 0n, 1n << 62n),
  ssp: fc.constantFrom(shadowTop(0, 0), shadowTop(0, 0) - 4n, shadowTop(0, 0) - PAGE + 16n, 1n << 62n),
})

type Case = typeof anyCase extends fc.Arbitrary<infer T> ? T : never

const machine = createMachine({ cpu: 'panther-lake', plugins: [fred()] })
const pristine = machine.snapshot()

function enter({ site, shadowStacks, damage, level, rsp, ssp }: Case): Cpu {
  const { cpu } = machine
  machine.restore(pristine)
  machine.boot('flat-fred', { options: { shadowStacks } }).sites[site]!.enter(cpu)
  if (site === 'host') {
    cpu.rsp = rsp
    if (shadowStacks) cpu.ssp = ssp
    setMsr(machine, IA32_FRED_CONFIG, ENTRY_PAGE | 0x48n | BigInt(level))
  }
  for (const spoil of damage) spoil(machine)
  return cpu
}

/** What is derived from the words, and would be wrong if CPL or CS had changed for a moment. */
const derived = (cpu: Cpu) => [cpu.user, cpu.codeSize, cpu.alignmentChecked, cpu.endbranchTracking, cpu.ext]

const { slot: configSlot } = machine.msrs.get(IA32_FRED_CONFIG)!
/** Registers that the delivery of an event may change, by their words. */
const CHANGES = new Set<number>([
  ...[RIP, RSP, SSP, PL3_SSP, CR2, DR6, GS_BASE, KERNEL_GS_BASE].flatMap((slot) => [slot, slot + 1]),
  ...[RFLAGS, CPL, STATUS, PENDING_DEBUG, MCG_STATUS, DR7, configSlot],
  ...[CS, SS].flatMap((n) => Array.from({ length: SEGMENT_WORDS }, (_, i) => segmentSlot(n) + i)),
])

/** The frame at RSP must hold the interrupted state. */
function expectFrame(cpu: Cpu, before: Int32Array, rips: readonly bigint[]): void {
  const quad = (slot: number) => (BigInt(before[slot + 1]! >>> 0) << 32n) | BigInt(before[slot]! >>> 0)
  const frame = readFrame(cpu)
  expect(rips).toContain(frame.rip)
  expect([frame.cs, frame.ss]).toEqual([before[segmentSlot(CS)], before[segmentSlot(SS)]])
  expect(frame.rsp).toBe(quad(RSP))
  expect(frame.rflags & ~0x10000n).toBe(quad(RFLAGS) & ~0x10000n)
  expect(frame.stackLevel).toBe(before[CPL] === 3 ? 0 : before[configSlot]! & 3)
  expect(cpu.rip).toBe(ENTRY_PAGE + (before[CPL] === 3 ? 0n : 256n))
  const swapped = before[CPL] === 3 ? [KERNEL_GS_BASE, GS_BASE] : [GS_BASE, KERNEL_GS_BASE]
  expect([cpu.gsBase, cpu.kernelGsBase]).toEqual(swapped.map((slot) => quad(slot)))
}

test('the mechanism delivers completely, or throws with every register as it was', () => {
  const seen = { delivered: 0, refused: 0 }
  fc.assert(
    fc.property(anyCase, (one) => {
      const cpu = enter(one)
      const before = cpu.words.slice()
      const derivedBefore = derived(cpu)
      const { rip } = cpu
      try {
        cpu.mechanism!.deliver(cpu, one.event)
        seen.delivered++
        expectFrame(cpu, before, [rip])
      } catch (thrown) {
        if (!(thrown instanceof Fault)) throw thrown
        seen.refused++
        expect(cpu.words).toEqual(before)
        expect(derived(cpu)).toEqual(derivedBefore)
      }
    }),
    { numRuns: 800 },
  )
  expect(seen.delivered).toBeGreaterThan(100)
  expect(seen.refused).toBeGreaterThan(100)
})

test('an event never leaves a half-changed CPU: an entry with the interrupted state in its frame, or shutdown in that state', () => {
  const seen = { delivered: 0, shutdown: 0 }
  fc.assert(
    fc.property(anyCase, (one) => {
      const cpu = enter(one)
      const before = cpu.words.slice()
      const { rip } = cpu
      cpu.startLo = cpu.words[RIP]!
      cpu.startHi = cpu.words[RIP + 1]!
      if (isInstructionEvent(one.event.type)) cpu.rip += BigInt(one.event.length)
      deliverEvent(cpu, one.event)
      for (const [slot, word] of cpu.words.entries()) {
        if (word !== before[slot]) expect(CHANGES).toContain(slot)
      }
      if (cpu.isShutdown) {
        seen.shutdown++
        const kept = [
          RIP,
          RIP + 1,
          RSP,
          RSP + 1,
          RFLAGS,
          CPL,
          SSP,
          GS_BASE,
          configSlot,
          segmentSlot(CS),
          segmentSlot(SS),
        ]
        for (const slot of kept) expect(cpu.words[slot]).toBe(before[slot])
      } else {
        seen.delivered++
        expectFrame(cpu, before, [rip, rip + BigInt(one.event.length)])
      }
    }),
    { numRuns: 800 },
  )
  expect(seen.delivered).toBeGreaterThan(100)
  expect(seen.shutdown).toBeGreaterThan(10)
})
