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
  GDTR,
  IDTR,
  instructionEvent,
  isInstructionEvent,
  type Machine,
  MCG_STATUS,
  nmi,
  PAGE_USER,
  PAGE_WRITABLE,
  PENDING_DEBUG,
  PL0_SSP,
  PL3_SSP,
  RFLAGS,
  RIP,
  RSP,
  SEGMENT_LIMIT,
  SEGMENT_WORDS,
  SS,
  SSP,
  STATUS,
  segmentSlot,
  TABLE_LIMIT,
  TR,
} from '@trapframe/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  GDT,
  HOST_CS,
  IDT_TABLE,
  PAGE,
  STACK_COUNT,
  shadowTable,
  shadowToken,
  stackTop,
  tssAddress,
} from './flat/memory.js'
import { decodeFrame, FRAME_BYTES } from './frame.js'
import { idt } from './plugin.js'

/** Something wrong with the tables, stacks or shadow stacks that a delivery may need. */
type Damage = (machine: Machine) => void

const byte = fc.nat({ max: 255 })
const stack = fc.nat({ max: STACK_COUNT - 1 })
const CR4_SMAP = 1n << 21n

const anyDamage: fc.Arbitrary<Damage> = fc.oneof(
  fc.tuple(fc.constantFrom(2, 6, 8, 11, 13, 14, 0x30, 0x80), fc.nat({ max: 15 }), byte).map(
    ([vector, offset, value]) =>
      ({ cpu }: Machine) =>
        cpu.space.write(IDT_TABLE + BigInt(16 * vector + offset), Uint8Array.of(value)),
  ),
  fc.tuple(fc.constantFrom(5, 5, 6), byte).map(
    ([offset, value]) =>
      ({ cpu }: Machine) =>
        cpu.space.write(GDT + BigInt(HOST_CS + offset), Uint8Array.of(value)),
  ),
  fc.tuple(fc.nat({ max: 10 }), fc.constantFrom(0n, 1n << 63n, stackTop(0, 0) - 4n, stackTop(0, 1) - PAGE + 24n)).map(
    ([n, pointer]) =>
      ({ cpu }: Machine) =>
        cpu.space.write64(tssAddress(0) + 4n + BigInt(8 * n), pointer),
  ),
  stack.map(
    (n) =>
      ({ cpu }: Machine) =>
        cpu.space.unmap(stackTop(0, n) - PAGE),
  ),
  stack.map(
    (n) =>
      ({ cpu }: Machine) =>
        cpu.space.map(stackTop(0, n) - PAGE, PAGE_USER | PAGE_WRITABLE),
  ),
  fc.constantFrom(IDT_TABLE, GDT, tssAddress(0), shadowTable(0)).map(
    (page) =>
      ({ cpu }: Machine) =>
        cpu.space.unmap(page),
  ),
  fc
    .tuple(
      fc.constantFrom(IDTR + TABLE_LIMIT, GDTR + TABLE_LIMIT, segmentSlot(TR) + SEGMENT_LIMIT),
      fc.nat({ max: 300 }),
    )
    .map(
      ([slot, limit]) =>
        ({ cpu }: Machine) =>
          void (cpu.words[slot] = limit),
    ),
  fc.tuple(stack, fc.constantFrom(0n, 1n, 8n)).map(
    ([n, value]) =>
      ({ cpu }: Machine) =>
        cpu.space.flagsAt(shadowToken(0, n)) === 0
          ? undefined
          : cpu.space.write64(shadowToken(0, n), value === 0n ? 0n : shadowToken(0, n) + value),
  ),
  stack.map(
    (n) =>
      ({ cpu }: Machine) =>
        cpu.space.unmap(shadowToken(0, n) & ~(PAGE - 1n)),
  ),
  fc.constantFrom(4n, 1n << 63n).map(
    (more) =>
      ({ cpu }: Machine) =>
        cpu.set64(PL0_SSP, shadowToken(0, 0) ^ more),
  ),
  fc.constant(({ cpu }: Machine) => cpu.setControl(CR4, cpu.cr4 | CR4_SMAP)),
)

const fault = (vector: number): CpuEvent => faultEvent(new Fault(vector, 0, 0x1234, 0), false)
const anyEvent: fc.Arbitrary<CpuEvent> = fc.oneof(
  fc.constantFrom(externalInterrupt(0x30), nmi()),
  fc.constantFrom(6, 8, 11, 13, 14, 18).map(fault),
  fc.constantFrom(instructionEvent(4, 0x80, 2), instructionEvent(5, 1, 1), instructionEvent(6, 3, 1)),
)

const anyCase = fc.record({
  site: fc.constantFrom('guest' as const, 'host' as const),
  shadowStacks: fc.boolean(),
  event: anyEvent,
  damage: fc.array(anyDamage, { maxLength: 3 }),
  /** Ring 0's own stack pointer, which may be near the edge of its page or nowhere. */
  rsp: fc.constantFrom(stackTop(0, 0) - 5n, stackTop(0, 0) - PAGE + 32n, 0n, 1n << 63n),
})

type Case = typeof anyCase extends fc.Arbitrary<infer T> ? T : never

const machine = createMachine({ cpu: 'panther-lake', plugins: [idt()] })
const pristine = machine.snapshot()

function enter({ site, shadowStacks, damage, rsp }: Case): Cpu {
  const { cpu } = machine
  machine.restore(pristine)
  machine.boot('flat-idt', { options: { shadowStacks } }).sites[site]!.enter(cpu)
  if (site === 'host') cpu.rsp = rsp
  for (const spoil of damage) {
    try {
      spoil(machine)
    } catch (error) {
      // two damages to the same page: what is not mapped cannot be written
      if (!(error instanceof RangeError)) throw error
    }
  }
  return cpu
}

/** What is derived from the words, and would be wrong if CPL or CS had changed for a moment. */
const derived = (cpu: Cpu) => [cpu.user, cpu.codeSize, cpu.alignmentChecked, cpu.endbranchTracking, cpu.ext]

/** Registers that the delivery of an event may change, by their words. */
const CHANGES = new Set<number>([
  ...[RIP, RSP, SSP, PL3_SSP, CR2, DR6].flatMap((slot) => [slot, slot + 1]),
  ...[RFLAGS, CPL, STATUS, PENDING_DEBUG, MCG_STATUS, DR7],
  ...[CS, SS].flatMap((n) => Array.from({ length: SEGMENT_WORDS }, (_, i) => segmentSlot(n) + i)),
])

/** The frame at RSP must hold the interrupted state, whether with an error code below it or without. */
function expectFrame(cpu: Cpu, before: Int32Array, rips: readonly bigint[]): void {
  const at = (hasErrorCode: boolean) => decodeFrame(cpu.space.read(cpu.rsp, FRAME_BYTES + (hasErrorCode ? 8 : 0)))
  const quad = (slot: number) => (BigInt(before[slot + 1]! >>> 0) << 32n) | BigInt(before[slot]! >>> 0)
  const frame = at((cpu.rsp & 15n) === 0n)
  expect(rips).toContain(frame.rip)
  expect([frame.cs, frame.ss]).toEqual([before[segmentSlot(CS)], before[segmentSlot(SS)]])
  expect(frame.rsp).toBe(quad(RSP))
  expect(frame.rflags & ~0x10000n).toBe(quad(RFLAGS) & ~0x10000n)
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

test('an event never leaves a half-changed CPU: a handler with the interrupted state in its frame, or shutdown in that state', () => {
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
        for (const slot of [RIP, RIP + 1, RSP, RSP + 1, RFLAGS, CPL, SSP, segmentSlot(CS), segmentSlot(SS)]) {
          expect(cpu.words[slot]).toBe(before[slot])
        }
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
