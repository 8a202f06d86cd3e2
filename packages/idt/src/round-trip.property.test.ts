import {
  CR2,
  CR4,
  CR4_CET,
  CS,
  codeAccess32,
  codeAccess64,
  createMachine,
  DR6,
  Fault,
  GDTR,
  type Machine,
  MCG_STATUS,
  PAGE_SHADOW_STACK,
  PAGE_USER,
  PENDING_DEBUG,
  PL3_SSP,
  type RaisedEvent,
  RF,
  RFLAGS,
  raise,
  SS,
  STATUS,
  TABLE_LIMIT,
  U_CET,
} from '@trapframe/core'
import { isa } from '@trapframe/isa'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  GDT,
  GUEST_CS32,
  GUEST_CS64,
  GUEST_DATA,
  handlerAddress,
  IDT_TABLE,
  shadowTable,
  shadowToken,
  tssAddress,
} from './flat/memory.js'
import { readGate } from './gate.js'
import { idt } from './plugin.js'

const anyEvent: fc.Arbitrary<RaisedEvent> = fc.oneof(
  fc.record({ kind: fc.constant('externalInterrupt' as const), vector: fc.integer({ min: 32, max: 255 }) }),
  fc.constant({ kind: 'nmi' as const }),
  fc
    .constantFrom(0, 1, 3, 6, 7, 8, 10, 13, 14, 17, 18, 21)
    .map((vector) => ({ kind: 'hardwareException' as const, vector, eventData: 0x4001n })),
  fc.constantFrom(
    { kind: 'softwareInterrupt' as const, vector: 0x80, length: 2 },
    { kind: 'int1' as const, length: 1 },
    { kind: 'int3' as const, length: 1 },
  ),
)

const anyState = fc.record({
  ring3: fc.boolean(),
  compatibility: fc.boolean(),
  ist: fc.boolean(),
  shadowStacks: fc.boolean(),
  userShadowStack: fc.boolean(),
  flags: fc.constantFrom(0x0n, 0x200n, 0x8d5n, 0x24_0c91n, 0x4200n, 0x3000n, 0x1_0202n),
  depth: fc.nat({ max: 0x400 }),
  rip: fc.nat({ max: 0x3fff_ffff }),
  gs: fc.tuple(fc.bigInt({ min: 0n, max: 0x7fff_ffff_ffffn }), fc.bigInt({ min: 0n, max: 0x7fff_ffff_ffffn })),
})
type State = typeof anyState extends fc.Arbitrary<infer T> ? T : never

const sharedMachine = createMachine({ cpu: 'sapphire-rapids', plugins: [idt(), isa()] })
const blank = sharedMachine.snapshot()

/** A CPU in the state that an event will interrupt. */
function enter(state: State): Machine {
  const machine = sharedMachine
  machine.restore(blank)
  const { cpu } = machine
  const boot = machine.boot('flat-idt', { options: { shadowStacks: state.shadowStacks, ist: state.ist } })
  boot.sites[state.ring3 ? 'guest' : 'host']!.enter(cpu)
  cpu.rip = BigInt(state.rip)
  cpu.rflags = state.flags | 2n
  cpu.rsp -= BigInt(state.depth)
  ;[cpu.gsBase, cpu.kernelGsBase] = state.gs
  if (!state.ring3) return machine
  const compatibility = { selector: GUEST_CS32, access: codeAccess32(3) }
  const long = { selector: GUEST_CS64, access: codeAccess64(3) }
  cpu.setSegment(CS, { base: 0n, limit: 0xffff_ffff, ...(state.compatibility ? compatibility : long) })
  if (state.userShadowStack) {
    machine.space(0n).map(GUEST_DATA, PAGE_USER | PAGE_SHADOW_STACK)
    cpu.set64(U_CET, 1n)
    cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_CET))
    cpu.ssp = GUEST_DATA + 0x800n
    cpu.set64(PL3_SSP, cpu.ssp)
  }
  return machine
}

/** What may differ after an event and its return: what the event itself reports, blocking, and RF in RFLAGS. */
const REPORTS = [CR2, CR2 + 1, DR6, PENDING_DEBUG, MCG_STATUS, STATUS]
function comparable(words: Int32Array): Int32Array {
  const copy = words.slice()
  for (const slot of REPORTS) copy[slot] = 0
  copy[RFLAGS] = copy[RFLAGS]! & ~RF
  return copy
}

test('A16: an event and the IRETQ of its handler give back every register, and the tokens', () => {
  fc.assert(
    fc.property(anyState, anyEvent, (state, event) => {
      const machine = enter(state)
      const { cpu } = machine
      const before = comparable(cpu.words)
      const { rip } = cpu
      const tokens = [0, 1, 2, 3, 4].map((n) => (state.shadowStacks ? cpu.space.read64(shadowToken(0, n)) : 0n))
      raise(cpu, event)
      expect(cpu.cpl).toBe(0)
      const { vector } = event as { vector?: number }
      if (vector !== undefined) expect(cpu.rip).toBe(handlerAddress(vector))
      for (
        let steps = 0;
        steps < 2 && cpu.cpl === 0 && cpu.rip >= handlerAddress(0) && cpu.rip < handlerAddress(256);
        steps++
      ) {
        machine.step()
      }
      expect(cpu.rip).toBe(rip + BigInt('length' in event ? (event.length ?? 0) : 0))
      cpu.rip = rip
      // Where ring 3 has no shadow stack, SSP stays what ring 0 left there: nobody looks at it.
      if (state.ring3 && !state.userShadowStack) cpu.ssp = 0n
      expect(comparable(cpu.words)).toEqual(before)
      expect([0, 1, 2, 3, 4].map((n) => (state.shadowStacks ? cpu.space.read64(shadowToken(0, n)) : 0n))).toEqual(
        tokens,
      )
    }),
    { numRuns: 300 },
  )
})

/** Where delivery reads: damage here is damage to the tables. */
const anyDamage = fc.array(
  fc.record({
    address: fc.oneof(
      fc.nat({ max: 0x4f }).map((offset) => GDT + BigInt(offset)),
      fc.nat({ max: 0x3f }).map((offset) => IDT_TABLE + 0x800n + BigInt(offset)),
      fc.nat({ max: 0x67 }).map((offset) => tssAddress(0) + BigInt(offset)),
      fc.nat({ max: 0x3f }).map((offset) => shadowTable(0) + BigInt(offset)),
      fc.nat({ max: 7 }).map((offset) => shadowToken(0, 0) + BigInt(offset)),
    ),
    byte: fc.nat({ max: 255 }),
  }),
  { minLength: 1, maxLength: 4 },
)

test('whatever the tables hold, delivery commits a consistent state or changes no register at all', () => {
  let refused = 0
  fc.assert(
    fc.property(
      anyState,
      anyDamage,
      fc.integer({ min: 0x80, max: 0x83 }),
      fc.nat({ max: 0xfff }),
      (state, damage, vector, limit) => {
        const { cpu } = enter({ ...state, shadowStacks: true })
        for (const { address, byte } of damage) cpu.space.write(address, Uint8Array.of(byte))
        if (limit < 0x30) cpu.words[GDTR + TABLE_LIMIT] = limit
        const before = cpu.words.slice()
        const gate = readGate(cpu, vector)
        try {
          cpu.mechanism!.deliver(cpu, { ...externalEvent, vector })
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(Fault)
          expect(cpu.words).toEqual(before)
          refused++
          return
        }
        expect(cpu.rip).toBe(gate!.offset)
        const cs = cpu.segment(CS)
        const ss = cpu.segment(SS)
        expect([cs.selector & 3, cs.selector & 0xfffc]).toEqual([cpu.cpl, gate!.selector & 0xfffc])
        // Never ring 3 state in ring 0, never the reverse: SS is null, or of the privilege that runs.
        expect((ss.access & 0x1_0000) !== 0 ? ss.selector : (ss.access >> 5) & 3).toBe(cpu.cpl)
        expect(cpu.user).toBe(cpu.cpl === 3 ? 2 : 0)
        expect(cpu.rsp % 8n).toBe(0n)
      },
    ),
    { numRuns: 600 },
  )
  expect(refused).toBeGreaterThan(50)
})

const externalEvent = {
  type: 0,
  errorCode: 0,
  hasErrorCode: false,
  dataLo: 0,
  dataHi: 0,
  length: 0,
  nested: false,
} as const
