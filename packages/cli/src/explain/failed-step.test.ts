import {
  type Cpu,
  createMachine,
  GDTR,
  IDTR,
  PAGE_SHADOW_STACK,
  PL0_SSP,
  raise,
  SEGMENT_BASE,
  SEGMENT_LIMIT,
  segmentSlot,
  TABLE_LIMIT,
  TR,
} from '@trapframe/core'
import { encodeGate, GATE_BYTES, type Gate, IA32_INTERRUPT_SSP_TABLE_ADDR, readGate } from '@trapframe/idt'
import { describe, expect, test } from 'vitest'
import { officialPlugins } from '../session/plugins.js'
import type { Explanation } from './explanation.js'
import { Explaining } from './watcher.js'

const VECTOR = 0x80
const IST = 2
/** Places in the GDT for a code segment that was never used, and one that is not present. */
const FRESH_CODE = 0x800
const ABSENT_CODE = 0x808
const NOT_CANONICAL = 0x8000_0000_1000n

const gateOf = (cpu: Cpu): bigint => cpu.get64(IDTR) + BigInt(VECTOR * GATE_BYTES)
const setGate = (cpu: Cpu, change: Partial<Gate>): void =>
  cpu.space.write(gateOf(cpu), encodeGate({ ...readGate(cpu, VECTOR)!, ist: IST, dpl: 3, ...change }))
const istPlace = (cpu: Cpu): bigint => cpu.get64(segmentSlot(TR) + SEGMENT_BASE) + 28n + BigInt(8 * IST)
const sspPlace = (cpu: Cpu): bigint =>
  cpu.get64(cpu.machine.msrs.get(IA32_INTERRUPT_SSP_TABLE_ADDR)!.slot) + BigInt(8 * IST)
const token = (cpu: Cpu): bigint => cpu.space.read64(sspPlace(cpu))
const page = (address: bigint): bigint => address & ~0xfffn

/** What breaks each check of IDT delivery, in the order of the steps. */
const IDT_CHECKS: readonly ((cpu: Cpu) => void)[] = [
  (cpu) => void (cpu.words[IDTR + TABLE_LIMIT] = VECTOR * GATE_BYTES + 14),
  (cpu) => cpu.space.unmap(page(gateOf(cpu))),
  (cpu) => cpu.space.write(gateOf(cpu) + 5n, Uint8Array.of(0xec)),
  (cpu) => setGate(cpu, { dpl: 2 }),
  (cpu) => setGate(cpu, { present: false }),
  (cpu) => setGate(cpu, { selector: 3 }),
  (cpu) => setGate(cpu, { selector: 0xfff8 }),
  (cpu) => cpu.space.unmap(page(cpu.get64(GDTR))),
  (cpu) => setGate(cpu, { selector: 0x10 }),
  (cpu) => setGate(cpu, { selector: ABSENT_CODE }),
  (cpu) => void (cpu.words[segmentSlot(TR) + SEGMENT_LIMIT] = 28 + 8 * IST + 6),
  (cpu) => cpu.space.unmap(page(istPlace(cpu))),
  (cpu) => cpu.space.write64(istPlace(cpu), NOT_CANONICAL),
  (cpu) => cpu.space.unmap(page(sspPlace(cpu))),
  (cpu) => cpu.space.write64(istPlace(cpu), 0xffff_8000_0000_0000n),
  (cpu) => cpu.space.unmap(cpu.space.read64(istPlace(cpu)) - 0x1000n),
  (cpu) => setGate(cpu, { offset: NOT_CANONICAL }),
  (cpu) => {
    setGate(cpu, { selector: FRESH_CODE })
    cpu.space.map(page(cpu.get64(GDTR)), 0)
  },
  (cpu) => cpu.space.write64(sspPlace(cpu), token(cpu) - 4n),
  (cpu) => cpu.space.unmap(page(token(cpu))),
  (cpu) => cpu.space.write64(token(cpu), token(cpu) | 1n),
  (cpu) => {
    // From ring 0, with the token in the first quadword of its page.
    cpu.setCpl(0)
    const first = page(token(cpu))
    cpu.space.map(first, PAGE_SHADOW_STACK)
    cpu.space.write64(first, first)
    cpu.space.write64(sspPlace(cpu), first)
  },
]

const fredMsr = (cpu: Cpu, name: string): number => cpu.machine.msrs.byName(name)!.slot

/** What breaks each check of FRED delivery: number of the step, where the event comes from, and how. */
const FRED_CHECKS: readonly (readonly [step: number, from: 'guest' | 'host', break_: (cpu: Cpu) => void])[] = [
  [3, 'guest', (cpu) => cpu.set64(PL0_SSP, cpu.get64(PL0_SSP) | 4n)],
  [4, 'guest', (cpu) => cpu.set64(fredMsr(cpu, 'IA32_FRED_RSP0'), NOT_CANONICAL)],
  [5, 'guest', (cpu) => cpu.space.unmap(cpu.get64(fredMsr(cpu, 'IA32_FRED_RSP0')) - 0x1000n)],
  [
    6,
    'host',
    (cpu) => {
      cpu.ssp = NOT_CANONICAL
    },
  ],
  [7, 'host', (cpu) => cpu.space.unmap(page(cpu.ssp - 8n))],
]

/** INT 0x80 on a flat machine with shadow stacks, explained. */
function explained(host: 'flat-idt' | 'flat-fred', from: 'guest' | 'host', change: (cpu: Cpu) => void): Explanation {
  const machine = createMachine({ cpu: 'panther-lake', plugins: officialPlugins() })
  const boot = machine.boot(host, { options: { shadowStacks: true } })
  const { cpu } = machine
  boot.sites[from]!.enter(cpu)
  if (host === 'flat-idt') {
    cpu.space.write64(cpu.get64(GDTR) + BigInt(FRESH_CODE), 0x00af_9a00_0000_ffffn)
    cpu.space.write64(cpu.get64(GDTR) + BigInt(ABSENT_CODE), 0x00af_1b00_0000_ffffn)
    setGate(cpu, {})
  }
  change(cpu)
  const hex = (value: bigint): string => `0x${value.toString(16)}`
  const explaining = new Explaining(machine, () => ({ address: hex, stack: hex, pointer: hex }))
  machine.observe(explaining.observer)
  raise(cpu, { kind: 'softwareInterrupt', vector: VECTOR })
  return explaining.take()[0]!
}

const STEPS = {
  idt: explained('flat-idt', 'guest', () => {}).steps,
  fred: explained('flat-fred', 'guest', () => {}).steps,
}

describe('A12: an explanation names the step that a delivery failed at', () => {
  test('with nothing broken every check passes, and everything that is done has words', () => {
    for (const host of ['flat-idt', 'flat-fred'] as const) {
      const { verdicts, fault, words, steps } = explained(host, 'guest', () => {})
      expect(fault).toBeNull()
      expect(verdicts).not.toContain('failed')
      expect(verdicts).not.toContain('unreached')
      const frame = steps.findLastIndex(({ stage, fault }) => stage === 'frame' && fault !== undefined)
      expect(words.get(frame)).toMatch(/^(40|64) bytes at .*RFLAGS 0x/)
    }
  })

  test('every check of the IDT can be broken here', () => {
    expect(IDT_CHECKS.length).toBe(STEPS.idt.filter(({ fault }) => fault !== undefined).length)
  })

  test.each(IDT_CHECKS.map((_, i) => [STEPS.idt[i]!.text, i] as const))('IDT: %s', (_, i) => {
    const { verdicts, fault, steps } = explained('flat-idt', 'guest', IDT_CHECKS[i]!)
    expect(verdicts.indexOf('failed')).toBe(i)
    expect(verdicts.slice(i + 1).every((verdict) => verdict === 'unreached' || verdict === 'idle')).toBe(true)
    expect(verdicts.slice(0, i)).not.toContain('unreached')
    expect(fault).toContain(['#GP', '#NP', '#PF', '#SS', '#TS'].find((name) => fault!.startsWith(name)))
    expect(steps[i]!.fault).toBeDefined()
  })

  test('every check of FRED can be broken here', () => {
    expect(FRED_CHECKS.map(([step]) => step)).toEqual(
      STEPS.fred.flatMap(({ fault }, n) => (fault === undefined ? [] : [n])),
    )
  })

  test.each(FRED_CHECKS.map(([step], i) => [STEPS.fred[step]!.text, i] as const))('FRED: %s', (_, i) => {
    const [step, from, change] = FRED_CHECKS[i]!
    expect(explained('flat-fred', from, change).verdicts.indexOf('failed')).toBe(step)
  })
})
