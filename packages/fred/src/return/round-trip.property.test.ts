import {
  BLOCKED_BY_NMI,
  type Cpu,
  CR2,
  CR4,
  CR4_CET,
  CS,
  codeAccess32,
  codeAccess64,
  createMachine,
  DR6,
  type Machine,
  MCG_STATUS,
  PAGE_SHADOW_STACK,
  PAGE_USER,
  PENDING_DEBUG,
  PL0_SSP,
  PL3_SSP,
  type RaisedEvent,
  RF,
  RFLAGS,
  raise,
  SSP,
  STATUS,
  U_CET,
  writeMsr,
} from '@trapframe/core'
import { isa } from '@trapframe/isa'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ENTRY_PAGE, GUEST_DATA, shadowTop, stackTop } from '../flat/memory.js'
import { IA32_FRED_CONFIG, IA32_FRED_STKLVLS } from '../msrs.js'
import { fred } from '../plugin.js'

const anyEvent: fc.Arbitrary<RaisedEvent> = fc.oneof(
  fc.record({ kind: fc.constant('externalInterrupt' as const), vector: fc.nat({ max: 255 }) }),
  fc.constant({ kind: 'nmi' as const }),
  fc
    .constantFrom(0, 1, 3, 6, 7, 8, 13, 14, 18, 21)
    .map((vector) => ({ kind: 'hardwareException' as const, vector, eventData: 0x4001n })),
  fc.record({ kind: fc.constant('softwareInterrupt' as const), vector: fc.nat({ max: 255 }) }),
  fc.constantFrom({ kind: 'int1' as const }, { kind: 'int3' as const }),
  fc.constantFrom({ kind: 'syscall' as const }, { kind: 'sysenter' as const }),
)

const anyState = fc.record({
  ring3: fc.boolean(),
  compatibility: fc.boolean(),
  shadowStacks: fc.boolean(),
  userShadowStack: fc.boolean(),
  level: fc.nat({ max: 3 }),
  levels: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
  flags: fc.constantFrom(0x0n, 0x200n, 0x8d5n, 0x24_0c91n, 0x4200n),
  depth: fc.nat({ max: 0x400 }),
  gs: fc.tuple(fc.bigInt({ min: 0n, max: 0x7fff_ffff_ffffn }), fc.bigInt({ min: 0n, max: 0x7fff_ffff_ffffn })),
  rip: fc.nat({ max: 0x3fff_ffff }),
})

type State = typeof anyState extends fc.Arbitrary<infer T> ? T : never

/** Puts the CPU into the state that the event will interrupt. */
function enter(machine: Machine, state: State): void {
  const { cpu } = machine
  const boot = machine.boot('flat-fred', { options: { shadowStacks: state.shadowStacks } })
  boot.sites[state.ring3 ? 'guest' : 'host']!.enter(cpu)
  const { slot } = machine.msrs.get(IA32_FRED_CONFIG)!
  writeMsr(cpu, IA32_FRED_STKLVLS, state.levels)
  cpu.rip = BigInt(state.rip)
  cpu.rflags = state.flags
  ;[cpu.gsBase, cpu.kernelGsBase] = state.gs
  if (state.ring3) {
    const access = state.compatibility ? codeAccess32(3) : codeAccess64(3)
    const selector = state.compatibility ? 0x1b : 0x2b
    cpu.setSegment(CS, { selector, base: 0n, limit: 0xffff_ffff, access })
    cpu.rsp -= BigInt(state.depth)
    if (state.userShadowStack) {
      machine.space(0n).map(GUEST_DATA, PAGE_USER | PAGE_SHADOW_STACK)
      cpu.setControl(U_CET, 1n)
      cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_CET))
      cpu.ssp = GUEST_DATA + 0x800n
      cpu.set64(PL3_SSP, cpu.ssp)
    }
  } else {
    cpu.set64(slot, cpu.get64(slot) | BigInt(state.level))
    cpu.rsp = stackTop(0, state.level) - BigInt(state.depth)
    if (state.shadowStacks) cpu.ssp = shadowTop(0, state.level) - BigInt(8 * (state.depth & 15))
  }
}

/**
 * What a handler that looks at nothing leaves behind: RF of faults, the registers that describe the event, and an SSP in
 * ring 3 where there is no user shadow stack.
 */
function withoutTraces(cpu: Cpu): Int32Array {
  const words = cpu.words.slice()
  for (const slot of [CR2, CR2 + 1, DR6, PENDING_DEBUG, MCG_STATUS]) words[slot] = 0
  if (cpu.cpl === 3 && !cpu.userShadowStack) words[SSP] = 0
  words[RFLAGS] = words[RFLAGS]! & ~RF
  return words
}

test('A16: an event and its return give back the state before, in ring 3 by ERETU and in ring 0 by ERETS', () => {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred(), isa()] })
  const { cpu } = machine
  const pristine = machine.snapshot()
  fc.assert(
    fc.property(anyState, anyEvent, (state, event) => {
      // #DF from ring 3 arrives on its own level, and there is no returning from there.
      fc.pre(!(state.ring3 && event.kind === 'hardwareException' && event.vector === 8))
      machine.restore(pristine)
      enter(machine, state)
      const before = withoutTraces(cpu)
      const { rip } = cpu
      raise(cpu, event)
      expect(cpu.cpl).toBe(0)
      expect(cpu.rip).toBe(ENTRY_PAGE + (state.ring3 ? 0n : 256n))
      machine.step()
      const length = event.kind === 'softwareInterrupt' || event.kind.startsWith('sys') ? 2n : 1n
      const instruction = !['externalInterrupt', 'nmi', 'hardwareException'].includes(event.kind)
      expect(cpu.rip).toBe(rip + (instruction ? length : 0n))
      cpu.rip = rip
      expect(cpu.words[STATUS]! & BLOCKED_BY_NMI).toBe(0)
      expect(withoutTraces(cpu)).toEqual(before)
      if (state.shadowStacks && state.ring3) expect(cpu.get64(PL0_SSP)).toBe(shadowTop(0, 0))
    }),
    { numRuns: 400 },
  )
})

test('F15: ERETU leaves data segments alone, the RPL of a null GS too; RCX and R11 survive SYSCALL', () => {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred(), isa()] })
  machine.boot('flat-fred')
  const { cpu } = machine
  cpu.setSegment(5, { selector: 3, base: 0x1234n, limit: 0, access: 0x10000 })
  cpu.setGpr(1, 0x1111n)
  cpu.setGpr(11, 0x2222n)
  raise(cpu, { kind: 'syscall' })
  machine.step()
  expect(cpu.cpl).toBe(3)
  expect(cpu.segment(5)).toEqual({ selector: 3, base: 0x1234n, limit: 0, access: 0x10000 })
  expect(cpu.segment(3)).toMatchObject({ selector: 0x23 })
  expect([cpu.gpr(1), cpu.gpr(11)]).toEqual([0x1111n, 0x2222n])
})
