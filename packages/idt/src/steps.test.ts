import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  type Cpu,
  createMachine,
  Fault,
  IDTR,
  instructionEvent,
  PAGE_SHADOW_STACK,
  SEGMENT_LIMIT,
  SOFTWARE_INTERRUPT,
  segmentSlot,
  TABLE_LIMIT,
  TR,
  vectorName,
} from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { DELIVERY_STEPS } from './delivery-steps.js'
import {
  GDT,
  handlerAddress,
  IDT_TABLE,
  shadowTable,
  shadowToken,
  stackTop,
  tssAddress,
  tssSelector,
} from './flat/memory.js'
import { encodeGate, GATE_BYTES, type Gate, readGate } from './gate.js'
import { idt } from './plugin.js'

const VECTOR = 0x80
const GATE = VECTOR * 8 + 2
const IST = 2
/** Where a code segment that was never used and one that is wrong lie in the GDT. */
const FRESH_CODE = 0x800
const ABSENT_CODE = 0x808

/** One check of delivery: what breaks it, on which field of the machine, and the fault that it then raises. */
interface Check {
  readonly name: string
  /** Checks of the same field cannot fail together. */
  readonly field: string
  readonly fault: readonly [vector: number, errorCode: number]
  break(cpu: Cpu): void
}

const setGate = (cpu: Cpu, change: Partial<Gate>): void => {
  const address = IDT_TABLE + BigInt(VECTOR * GATE_BYTES)
  const type = cpu.space.read(address, GATE_BYTES)[5]! & 0x1f
  const bytes = encodeGate({ ...(readGate(cpu, VECTOR) ?? { offset: 0n, selector: 8, ist: IST, dpl: 3 }), ...change })
  if (type !== 0xe) bytes[5] = (bytes[5]! & 0xe0) | type
  cpu.space.write(address, bytes)
}
const setType = (cpu: Cpu, type: number): void => {
  const address = IDT_TABLE + BigInt(VECTOR * GATE_BYTES)
  const bytes = cpu.space.read(address, GATE_BYTES)
  bytes[5] = (bytes[5]! & 0xe0) | type
  cpu.space.write(address, bytes)
}
const setIst = (cpu: Cpu, value: bigint): void => cpu.space.write64(tssAddress(0) + 28n + BigInt(8 * IST), value)

/** In the order of the README's table, which the last test compares. */
const CHECKS: readonly Check[] = [
  {
    name: 'the gate lies within the limit of IDTR',
    field: 'idtr',
    fault: [13, GATE],
    break: (cpu) => void (cpu.words[IDTR + TABLE_LIMIT] = VECTOR * GATE_BYTES + 14),
  },
  { name: 'it can be read', field: 'idt page', fault: [14, 0], break: (cpu) => cpu.space.unmap(IDT_TABLE) },
  { name: 'it is an interrupt or a trap gate', field: 'type', fault: [13, GATE], break: (cpu) => setType(cpu, 0xc) },
  {
    name: 'INT n, INT3, INTO: its DPL is not below CPL',
    field: 'dpl',
    fault: [13, GATE],
    break: (cpu) => setGate(cpu, { dpl: 2 }),
  },
  { name: 'it is present', field: 'present', fault: [11, GATE], break: (cpu) => setGate(cpu, { present: false }) },
  {
    name: 'its selector is not null',
    field: 'selector',
    fault: [13, 0],
    break: (cpu) => setGate(cpu, { selector: 3 }),
  },
  {
    name: 'the selector lies within its table',
    field: 'selector',
    fault: [13, 0xfff8],
    break: (cpu) => setGate(cpu, { selector: 0xfff8 }),
  },
  { name: 'its descriptor can be read', field: 'gdt page', fault: [14, 0], break: (cpu) => cpu.space.unmap(GDT) },
  {
    name: 'it names 64-bit code whose DPL is not above CPL',
    field: 'selector',
    fault: [13, 0x10],
    break: (cpu) => setGate(cpu, { selector: 0x10 }),
  },
  {
    name: 'the code segment is present',
    field: 'selector',
    fault: [11, ABSENT_CODE],
    break: (cpu) => setGate(cpu, { selector: ABSENT_CODE }),
  },
  {
    name: 'the limit of TR covers the stack pointer',
    field: 'tr',
    fault: [10, tssSelector(0)],
    break: (cpu) => void (cpu.words[segmentSlot(TR) + SEGMENT_LIMIT] = 28 + 8 * IST + 6),
  },
  { name: 'the TSS can be read', field: 'tss page', fault: [14, 0], break: (cpu) => cpu.space.unmap(tssAddress(0)) },
  {
    name: 'the stack pointer is canonical',
    field: 'rsp',
    fault: [12, 0],
    break: (cpu) => setIst(cpu, 0x8000_0000_0000n),
  },
  {
    name: 'IST with shadow stacks: the interrupt SSP table can be read',
    field: 'ssp table',
    fault: [14, 0],
    break: (cpu) => cpu.space.unmap(shadowTable(0) & ~0xfffn),
  },
  {
    name: 'the frame lies at canonical addresses',
    field: 'rsp',
    fault: [12, 0],
    break: (cpu) => setIst(cpu, 0xffff_8000_0000_0000n),
  },
  {
    name: 'the frame can be written',
    field: 'stack page',
    fault: [14, 2],
    break: (cpu) => cpu.space.unmap(stackTop(0, IST) - 0x1000n),
  },
  {
    name: 'the handler’s address is canonical',
    field: 'offset',
    fault: [13, 0],
    break: (cpu) => setGate(cpu, { offset: 0x8000_0000_0000n }),
  },
  {
    name: 'the accessed bit of a code segment that was never used can be set',
    field: 'selector',
    fault: [14, 3],
    break: (cpu) => {
      setGate(cpu, { selector: FRESH_CODE })
      cpu.space.map(GDT, 0)
    },
  },
  {
    name: 'shadow stack: the token is aligned to 8',
    field: 'ssp',
    fault: [13, 0],
    break: (cpu) => cpu.space.write64(shadowTable(0) + BigInt(8 * IST), shadowToken(0, IST) - 4n),
  },
  {
    name: 'shadow stack: the token can be written',
    field: 'shadow page',
    fault: [14, 0x42],
    break: (cpu) => cpu.space.unmap(shadowToken(0, IST) & ~0xfffn),
  },
  {
    name: 'shadow stack: the token is its own address and free',
    field: 'token',
    fault: [13, 0],
    break: (cpu) => cpu.space.write64(shadowToken(0, IST), shadowToken(0, IST) | 1n),
  },
  {
    name: 'shadow stack, not from ring 3: CS, RIP and SSP can be pushed',
    field: 'ssp',
    fault: [14, 0x42],
    break: (cpu) => {
      // From ring 0, with the token in the first quadword of its page.
      cpu.setCpl(0)
      const token = shadowToken(0, IST) & ~0xfffn
      cpu.space.map(token, PAGE_SHADOW_STACK)
      cpu.space.write64(token, token)
      cpu.space.write64(shadowTable(0) + BigInt(8 * IST), token)
    },
  },
]

/** INT 0x80 from ring 3 on IST2 with shadow stacks, where every check passes. */
function ready(): Cpu {
  const { cpu } = (() => {
    const machine = createMachine({ cpu: 'sapphire-rapids', plugins: [idt()] })
    machine.boot('flat-idt', { options: { shadowStacks: true } })
    return machine
  })()
  cpu.space.write64(GDT + BigInt(FRESH_CODE), 0x00af_9a00_0000_ffffn)
  cpu.space.write64(GDT + BigInt(ABSENT_CODE), 0x00af_1b00_0000_ffffn)
  setGate(cpu, { ist: IST })
  return cpu
}

/** The fault that delivery throws; every register must be as before. */
function refusal(cpu: Cpu): readonly [number, number] | null {
  const before = cpu.words.slice()
  try {
    cpu.mechanism!.deliver(cpu, instructionEvent(SOFTWARE_INTERRUPT, VECTOR, 2))
    return null
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown
    expect(cpu.words).toEqual(before)
    return [thrown.vector, thrown.errorCode]
  }
}

describe('IDT delivery, step by step: each check has its fault, and the earlier one wins', () => {
  test('with nothing broken the event arrives', () => {
    const cpu = ready()
    expect(refusal(cpu)).toBeNull()
    expect(cpu.rip).toBe(handlerAddress(VECTOR))
  })

  test.each(CHECKS.map((check, i) => [check.name, i] as const))('%s', (_, i) => {
    const check = CHECKS[i]!
    const cpu = ready()
    check.break(cpu)
    expect(refusal(cpu)).toEqual(check.fault)
    for (const later of CHECKS.slice(i + 1)) {
      if (later.field === check.field || later.name.includes('not from ring 3')) continue
      const both = ready()
      later.break(both)
      check.break(both)
      expect([later.name, refusal(both)]).toEqual([later.name, check.fault])
    }
  })

  test('README: the table has these checks in this order, with these faults', () => {
    const readme = readFileSync(fileURLToPath(new URL('../README.md', import.meta.url)), 'utf8')
    const section = readme.slice(readme.indexOf('## Delivery, step by step'))
    const rows = [...section.matchAll(/^\| *\d+ *\| (.*?) *\| (#[A-Z]+)/gm)].map(([, name, fault]) => [name, fault])
    expect(rows).toEqual(CHECKS.map(({ name, fault }) => [name, vectorName(fault[0])]))
  })

  test('DELIVERY_STEPS has these checks in this order, with these faults, and then what cannot fail', () => {
    const codes: Readonly<Record<string, number>> = { gate: GATE, TR: tssSelector(0), '0': 0 }
    const checks = DELIVERY_STEPS.slice(0, CHECKS.length)
    for (const [i, { text, fault }] of checks.entries()) {
      const { name, fault: provoked } = CHECKS[i]!
      expect([text, fault!.vector]).toEqual([name, provoked[0]])
      // `selector` is whatever was broken
      const code = codes[fault!.errorCode ?? '']
      if (code !== undefined) expect(provoked[1]).toBe(code)
    }
    const rest = DELIVERY_STEPS.slice(CHECKS.length)
    expect(rest.map(({ stage, fault }) => [stage, fault])).toEqual(rest.map(() => ['registers', undefined]))
  })
})
