import {
  AF,
  CF,
  type Cpu,
  createMachine,
  DF,
  DS,
  dataAccess,
  definePlugin,
  ES,
  eventName,
  IF,
  loadFixedCode,
  loadFixedStack,
  MECHANISMS,
  OF,
  PF,
  type Plugin,
  pageFlags,
  SF,
  STATUS,
  step,
  ZF,
} from '@trapframe/core'
import { assemble } from '../assemble/assemble.js'
import { isa } from '../plugin.js'

/**
 * What the tests of this folder run instructions on: a flat machine whose delivery mechanism only notes which event
 * arrived, so that a fault shows with every register as the instruction left it.
 */

/** Where programs lie; the page is writable, executable and the user's, as are data and stack. */
export const CODE = 0x10000n
/** One page of data; the page after it is not mapped. */
export const DATA = 0x20000n
/** A page that nobody may write. */
export const READ_ONLY = 0x30000n
/** Stack pointer at the start; the stack is one page. */
export const STACK = 0x41000n
/** Shadow-stack pointers at the start: supervisor and user. */
export const SHADOW_STACK_0 = 0x50800n
export const SHADOW_STACK_3 = 0x60800n
/** A page for descriptor tables and a TSS. */
export const TABLES = 0x70000n

const NAMES = 'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15'.split(' ')
const FLAG_NAMES: readonly (readonly [string, number])[] = [
  ['CF', CF],
  ['PF', PF],
  ['AF', AF],
  ['ZF', ZF],
  ['SF', SF],
  ['IF', IF],
  ['DF', DF],
  ['OF', OF],
]

export type Registers = Readonly<Record<string, bigint>>

export interface Setup {
  /** A preset with edits; panther-lake if left out. */
  readonly cpu?: string
  readonly cpl?: 0 | 3
  /** Mode of the code; 64 if left out. */
  readonly bits?: 64 | 32
  readonly registers?: Registers
  /** RFLAGS; 2 if left out. */
  readonly rflags?: number
  /** Bytes from {@link DATA} on. */
  readonly data?: readonly number[]
  /** Whatever else must be so before the first instruction. */
  readonly prepare?: (cpu: Cpu) => void
  /** Steps to take; one for each line if left out. */
  readonly steps?: number
}

/** What a program did. */
export interface Outcome {
  readonly cpu: Cpu
  /** The event that ended it, with its error code: `#GP(0)`, `#PF(6)`; empty if there was none. */
  readonly event: string
  /** The general registers and RIP that changed. */
  readonly changed: Registers
  /** Which of CF PF AF ZF SF IF DF OF are set. */
  readonly flags: string
  /** `length` bytes from {@link DATA} on. */
  data(length: number): number[]
}

let noted = ''

const recorder: Plugin = definePlugin({
  name: 'recorder',
  setup(host) {
    host.add(MECHANISMS, 'recorder', {
      name: 'recorder',
      activeWhen: {},
      fallback: true,
      transferPolicy: {
        returnToOuterRing: true,
        callGates: true,
        ring0CompatibilityMode: true,
        shadowStackTokens: true,
      },
      deliver(_, event) {
        noted = eventName(event) + (event.hasErrorCode ? `(${event.errorCode.toString(16)})` : '')
      },
    })
  },
})

/** A CPU with everything mapped, flat segments of its CPL, ready at {@link CODE}. */
export function testCpu(setup: Setup = {}): Cpu {
  const { cpu: model = 'panther-lake', cpl = 0, bits = 64, registers = {}, rflags = 2, data = [] } = setup
  const machine = createMachine({ cpu: model, plugins: [isa(), recorder] })
  const { cpu } = machine
  const space = machine.space(0n)
  space.map(CODE, pageFlags('wxu'))
  space.map(DATA, pageFlags('wu'))
  space.map(READ_ONLY, pageFlags('u'))
  space.map(STACK - 0x1000n, pageFlags('wu'))
  space.map(SHADOW_STACK_0 & ~0xfffn, pageFlags('s'))
  space.map(SHADOW_STACK_3 & ~0xfffn, pageFlags('su'))
  space.map(TABLES, pageFlags('w'))
  space.write(DATA, Uint8Array.from(data))
  loadFixedCode(cpu, 0x8 | cpl, cpl, bits)
  loadFixedStack(cpu, 0x10 | cpl, cpl)
  for (const n of [DS, ES] as const) {
    cpu.setSegment(n, { selector: 0x10 | cpl, base: 0n, limit: 0xffffffff, access: dataAccess(cpl) })
  }
  cpu.cpl = cpl
  cpu.rsp = STACK
  cpu.ssp = cpl === 0 ? SHADOW_STACK_0 : SHADOW_STACK_3
  cpu.rip = CODE
  cpu.rflags = BigInt(rflags)
  for (const [name, value] of Object.entries(registers)) cpu.setGpr(numberOf(name), value)
  cpu.refresh()
  setup.prepare?.(cpu)
  return cpu
}

/** Runs assembly text, one instruction a line, until its end or the first event. */
export function execute(source: string, setup: Setup = {}): Outcome {
  const cpu = testCpu(setup)
  const program = assemble(setup.bits === 32 ? `bits 32\n${source}` : source, { origin: CODE })
  cpu.machine.space(0n).write(CODE, program.bytes)
  return runFrom(cpu, setup.steps ?? program.lines.length)
}

/** Steps a CPU until an event, `steps` times at most. */
export function runFrom(cpu: Cpu, steps: number): Outcome {
  const before = snapshotRegisters(cpu)
  noted = ''
  for (let i = 0; i < steps && noted === ''; i++) step(cpu)
  const after = snapshotRegisters(cpu)
  const changed = Object.fromEntries(Object.entries(after).filter(([name, value]) => before[name] !== value))
  const rflags = Number(cpu.rflags)
  return {
    cpu,
    event: noted,
    changed,
    flags: FLAG_NAMES.filter(([, bit]) => (rflags & bit) !== 0)
      .map(([name]) => name)
      .join(' '),
    data: (length) => [...cpu.machine.space(0n).read(DATA, length)],
  }
}

/** The general registers that a program changed. */
export function results(source: string, setup: Setup = {}): Registers {
  const { rip: _, ...registers } = execute(source, setup).changed
  return registers
}

/** The event that ends a program. */
export function eventOf(source: string, setup: Setup = {}): string {
  return execute(source, setup).event
}

/** Blocking and activity bits of STATUS. */
export const statusOf = (cpu: Cpu): number => cpu.words[STATUS]!

/** Bytes of a number, little-endian. */
export function bytesOf(value: bigint, length: number): number[] {
  return Array.from({ length }, (_, i) => Number((BigInt.asUintN(length * 8, value) >> BigInt(8 * i)) & 0xffn))
}

function snapshotRegisters(cpu: Cpu): Record<string, bigint> {
  const registers = Object.fromEntries(NAMES.map((name, n) => [name, cpu.gpr(n)]))
  return { ...registers, rip: cpu.rip }
}

function numberOf(name: string): number {
  const n = NAMES.indexOf(name)
  if (n < 0) throw new RangeError(`no register is called ${name}`)
  return n
}
