import {
  CS,
  codeAccess64,
  createMachine,
  DS,
  dataAccess,
  ES,
  type Machine,
  PAGE_EXECUTABLE,
  PAGE_USER,
  PAGE_WRITABLE,
  pendInterrupt,
  pendNmi,
  SS,
  UnsupportedError,
} from '@trapframe/core'
import { toyMechanism } from '@trapframe/core/testing'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assemble } from './assemble/assemble.js'
import { isa } from './plugin.js'

const CODE = 0x1_0000n
const DATA = 0x2_0000n
const STACK_TOP = 0x4_0000n
const HANDLER = 0x5_0000n
const STEPS = 40

const register = fc.constantFrom('rax', 'rcx', 'rdx', 'rbx', 'rsi', 'rdi', 'r8', 'r15', 'eax', 'r9d', 'cx', 'dl', 'ah')
const memory = fc
  .tuple(fc.constantFrom('rbx', 'rsi', 'rsp', 'rdi + rcx*2'), fc.nat({ max: 64 }))
  .map(([base, offset]) => `[${base} + ${offset}]`)
const immediate = fc.integer({ min: -128, max: 127 }).map(String)
const line = (...parts: (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> =>
  fc
    .tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part)))
    .map((words) => words.join(' '))

const anyLine = fc.oneof(
  line(fc.constantFrom('add', 'sub', 'xor', 'cmp', 'and', 'mov', 'adc', 'test'), register, ',', immediate),
  line(fc.constantFrom('add', 'xchg', 'mov', 'or', 'sbb'), 'qword', memory, ', rax'),
  line(fc.constantFrom('mov', 'add', 'imul', 'cmovz', 'bsf'), 'rdx, qword', memory),
  line('lea', 'r10,', memory),
  line(fc.constantFrom('inc', 'dec', 'neg', 'not'), register),
  line(fc.constantFrom('shl', 'sar', 'ror'), 'rax,', fc.nat({ max: 63 }).map(String)),
  line(fc.constantFrom('push', 'pop', 'div', 'mul'), fc.constantFrom('rax', 'rcx', 'r8')),
  fc.constantFrom(
    ...['nop', 'pushfq', 'popfq', 'sti', 'cli', 'mov ss, ax', 'mov ax, ss', 'cld', 'std', 'clc', 'cmc', 'cpuid'],
    ...['ud2', 'hlt', 'rep movsb', 'stosq', 'rep stosd', 'lodsb', 'leave', 'endbr64', 'rdtsc', 'swapgs', 'int 0x80'],
    ...['mov rax, cr0', 'mov rax, dr7', 'mov dr7, rax', 'mov ss, word [rbx]', 'pop ss', 'lock inc dword [rbx]'],
    ...['jmp short $+3', 'jz short $+2', 'call $+5', 'ret', 'loop $', 'push 0x302\npopfq', 'push 0x10002\npopfq'],
  ),
)

/** Assembled lines; some that are none, or machine code of any bytes. */
const anyProgram = fc.oneof(
  { weight: 4, arbitrary: fc.array(anyLine, { minLength: 1, maxLength: 14 }).map((lines) => assembled(lines)) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 48 }) },
)

function assembled(lines: readonly string[]): Uint8Array {
  const bytes: number[] = []
  for (const text of lines) {
    try {
      bytes.push(...assemble(text, { origin: CODE + BigInt(bytes.length) }).bytes)
    } catch {
      bytes.push(0x90)
    }
  }
  return Uint8Array.from(bytes)
}

const anyState = fc.record({
  cpl: fc.constantFrom(0, 3),
  rflags: fc.nat({ max: 0x3fffff }).map((bits) => BigInt((bits & 0x240ad5) | 2)),
  registers: fc.array(fc.oneof(fc.nat({ max: 0xff }), fc.integer()), { minLength: 16, maxLength: 16 }),
  /** The step before which an interrupt and an NMI become pending. */
  pending: fc.nat({ max: 30 }),
})

type State = typeof anyState extends fc.Arbitrary<infer T> ? T : never

function prepare(machine: Machine, program: Uint8Array, state: State): void {
  const { cpu } = machine
  const { cpl } = state
  const space = machine.space(0n)
  const all = PAGE_WRITABLE | PAGE_EXECUTABLE | PAGE_USER
  space.map(CODE, all)
  space.map(DATA, all)
  space.map(STACK_TOP - 0x1000n, all)
  space.map(HANDLER, all)
  space.write(CODE, program)
  // what the mechanism pushed is dropped, and the program begins again
  space.write(HANDLER, assemble(`add rsp, 16\njmp ${CODE}`, { origin: HANDLER }).bytes)
  cpu.setSegment(CS, { selector: 8 | cpl, base: 0n, limit: 0xffff_ffff, access: codeAccess64(cpl) })
  for (const n of [SS, DS, ES] as const) {
    cpu.setSegment(n, { selector: 0x10 | cpl, base: 0n, limit: 0xffff_ffff, access: dataAccess(cpl) })
  }
  for (const [n, value] of state.registers.entries()) cpu.setGpr(n, BigInt.asUintN(64, BigInt(value)))
  cpu.setGpr(3, DATA + 0x100n)
  cpu.setGpr(6, DATA + 0x200n)
  cpu.setGpr(7, DATA + 0x300n)
  cpu.rsp = STACK_TOP - 0x100n
  cpu.rip = CODE
  cpu.rflags = state.rflags
  cpu.setCpl(cpl)
  cpu.refresh()
}

/** One step, or the name of what the model does not have. */
function attempt(machine: Machine): string {
  try {
    return machine.step()
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error
    return error.message
  }
}

test('the fast path of step and the slow one, which observers take, give byte-equal states', () => {
  const make = () => {
    const machine = createMachine({ cpu: 'skylake', plugins: [isa(), toyMechanism({ entry: HANDLER })] })
    return { machine, pristine: machine.snapshot() }
  }
  const fast = make()
  const slow = make()
  slow.machine.observe({ instruction: () => {}, stored: () => {}, loaded: () => {} })
  let compared = 0
  fc.assert(
    fc.property(anyProgram, anyState, (program, state) => {
      for (const { machine, pristine } of [fast, slow]) {
        machine.restore(pristine)
        prepare(machine, program, state)
      }
      for (let n = 0; n < STEPS; n++) {
        for (const { machine } of n === state.pending ? [fast, slow] : []) {
          pendNmi(machine.cpu)
          pendInterrupt(machine.cpu, 0x30)
        }
        const did = attempt(fast.machine)
        if (attempt(slow.machine) !== did) expect.fail(`the observed machine did not do "${did}"`)
        const { words } = slow.machine.cpu
        if (fast.machine.cpu.words.some((word, i) => word !== words[i])) expect(fast.machine.cpu.words).toEqual(words)
        compared++
        if (did !== 'instruction' && did !== 'event') break
      }
      expect(fast.machine.equals(slow.machine.snapshot())).toBe(true)
    }),
    { numRuns: 250 },
  )
  expect(compared).toBeGreaterThan(2000)
})
