import { describe, expect, test } from 'vitest'
import { createMachine } from '../machine/machine.js'
import { pageFlags } from '../memory/access.js'
import { load8, store32, store64 } from '../memory/linear.js'
import { DR, DR7, PENDING_DEBUG, STATUS } from '../state/registers.js'
import { PENDING_TRAP } from '../state/status.js'
import { toyIsa } from '../testing/toy-isa.js'
import { toyMechanism } from '../testing/toy-mechanism.js'
import { instructionBreakpoints } from './breakpoints.js'

/** A CPU with DR0 = `address` and DR7 as given. */
function watching(dr7: number, address = 0x1010n): ReturnType<typeof createMachine>['cpu'] {
  const machine = createMachine({ cpu: 'skylake' })
  machine.space(0n).map(0x1000n, pageFlags('w'), 2)
  machine.cpu.set64(DR, address)
  machine.cpu.setControl(DR7, BigInt(dr7))
  return machine.cpu
}

const L0 = 1
const WRITE_4 = 0b1101 << 16
const ACCESS_8 = 0b1011 << 16

describe('data breakpoints (SDM 3B 17.2.4, 17.2.5)', () => {
  test.each([
    ['a write that covers the last watched byte', WRITE_4, 0x1013, true],
    ['a write that ends just below', WRITE_4, 0x100c, false],
    ['a write that starts just above', WRITE_4, 0x1014, false],
    ['a write from below that reaches in', WRITE_4, 0x100d, true],
  ])('%s', (_, condition, at, hit) => {
    const cpu = watching(L0 | condition)
    store32(cpu, at, 0, 1)
    expect(cpu.words[PENDING_DEBUG]).toBe(hit ? 1 : 0)
    expect((cpu.words[STATUS]! & PENDING_TRAP) !== 0).toBe(hit)
  })

  test('a read meets an access breakpoint, but no write breakpoint', () => {
    const write = watching(L0 | WRITE_4)
    load8(write, 0x1010, 0)
    expect(write.words[PENDING_DEBUG]).toBe(0)
    const access = watching(L0 | ACCESS_8)
    load8(access, 0x1017, 0)
    expect(access.words[PENDING_DEBUG]).toBe(1)
  })

  test('the watched address is aligned to its length', () => {
    const cpu = watching(L0 | ACCESS_8, 0x1015n)
    store64(cpu, 0x1008, 0, 0, 0)
    expect(cpu.words[PENDING_DEBUG]).toBe(0)
    store64(cpu, 0x1009, 0, 0, 0)
    expect(cpu.words[PENDING_DEBUG]).toBe(1)
  })

  test('a breakpoint that is not enabled pends nothing, but is reported beside one that is', () => {
    const off = watching(WRITE_4)
    store32(off, 0x1010, 0, 1)
    expect(off.words[PENDING_DEBUG]).toBe(0)
    const cpu = watching(L0 | WRITE_4 | (WRITE_4 << 4))
    cpu.set64(DR + 2, 0x1010n)
    store32(cpu, 0x1010, 0, 1)
    expect(cpu.words[PENDING_DEBUG]).toBe(0b11)
  })
})

test('CVE-2015-8104: a frame pushed on to a watched address pends a #DB, which the push of its own frame pends again', () => {
  const machine = createMachine({ cpu: 'skylake', plugins: [toyIsa(), toyMechanism({ entry: 0x1100n })] })
  const { cpu } = machine
  machine.space(0n).map(0x1000n, pageFlags('wx'), 2)
  machine.space(0n).write(0x1000n, Uint8Array.of(0xcd, 0x20))
  cpu.rip = 0x1000n
  cpu.rsp = 0x2000n
  cpu.set64(DR, 0x1ff8n)
  cpu.setControl(DR7, BigInt(L0 | WRITE_4))
  const events: string[] = []
  machine.trace.on('event', ({ event }) => void events.push(event))
  machine.step()
  cpu.rsp = 0x2000n
  machine.step()
  cpu.rsp = 0x2000n
  machine.step()
  expect(events).toEqual(['INT 0x20', '#DB', '#DB'])
})

test('instruction breakpoints compare the whole linear address', () => {
  const cpu = watching(L0, 0xffff_8000_0000_1010n)
  expect(instructionBreakpoints(cpu, 0x1010, 0xffff8000 | 0)).toBe(1)
  expect(instructionBreakpoints(cpu, 0x1010, 0)).toBe(0)
  expect(cpu.instructionBreakpoints).toBe(true)
  expect(cpu.watching).toBe(0)
})
