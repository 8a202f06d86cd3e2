import { BLOCKED_BY_NMI, pendInterrupt, pendNmi, raise, STATUS, tssIstOffset, tssRspOffset } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { flat, patchGate, runTo, shareHandlers } from '../test/flat-machine.js'
import {
  GDT,
  GUEST_CODE,
  GUEST_CS64,
  GUEST_SS,
  GUEST_STACK_TOP,
  HOST_CODE,
  HOST_CS,
  handlerAddress,
  shadowToken,
  stackTop,
  tssAddress,
} from './flat/memory.js'
import { readFrame } from './frame.js'

/**
 * Where recorders, manuals and vendors disagree about delivery, this is what the model answers; docs/disputed.md has the
 * reasons.
 */

const NOT_CANONICAL = 0x8000_0000_0000_0000n
const WRITE_TO_SHADOW_STACK = 0x42

/** What the handler's frame looks like when INT n in ring 3 was refused. */
const RING3 = { cs: GUEST_CS64, ss: GUEST_SS, rip: GUEST_CODE, rsp: GUEST_STACK_TOP }

describe('stacks', () => {
  test('#SS for a TSS stack pointer that is not canonical: its error code is EXT alone', () => {
    const { machine, cpu } = flat({ source: 'int 0x80' })
    cpu.space.write64(tssAddress(0) + BigInt(tssRspOffset(0)), NOT_CANONICAL)
    // #SS needs a stack too: IST1
    patchGate(cpu, 12, 4, 1)
    runTo(machine, 12)
    expect(readFrame(cpu, 12)).toMatchObject({ ...RING3, errorCode: 0 })
    const interrupted = flat()
    interrupted.cpu.space.write64(tssAddress(0) + BigInt(tssRspOffset(0)), NOT_CANONICAL)
    patchGate(interrupted.cpu, 12, 4, 1)
    pendInterrupt(interrupted.cpu, 0x30)
    runTo(interrupted.machine, 12)
    expect(readFrame(interrupted.cpu, 12).errorCode).toBe(1)
  })

  test('delivery to a conforming segment at CPL 3 pushes with the privilege of CPL, wherever IST points', () => {
    const { machine, cpu } = flat({ source: 'int 0x80' })
    cpu.space.write(GDT + BigInt(HOST_CS) + 5n, Uint8Array.of(0x9f))
    shareHandlers(cpu)
    patchGate(cpu, 0x80, 4, 1)
    // IST1 is ring 0's: a user write. #PF itself goes on to the same segment, and to a stack of ring 3.
    cpu.space.write64(tssAddress(0) + BigInt(tssIstOffset(2)), GUEST_STACK_TOP - 0x800n)
    patchGate(cpu, 14, 4, 2)
    runTo(machine, 14)
    expect(cpu.cpl).toBe(3)
    expect(readFrame(cpu, 14)).toMatchObject({ ...RING3, errorCode: 0b111 })
  })

  test('a handler that is not canonical: #GP(EXT) in the state before, and the abandoned frame stays in memory', () => {
    for (const cpuName of ['panther-lake', 'zen4']) {
      const { machine, cpu } = flat({ cpu: cpuName, source: 'int 0x80' })
      patchGate(cpu, 0x80, 15 - 4, 0x80)
      patchGate(cpu, 13, 4, 1)
      runTo(machine, 13)
      expect(readFrame(cpu, 13)).toMatchObject({ ...RING3, errorCode: 0 })
      expect(cpu.space.read64(stackTop(0, 0) - 40n)).toBe(GUEST_CODE + 2n)
    }
  })
})

describe('gates', () => {
  test('the reserved type field in the upper half of a gate is not looked at', () => {
    const { machine, cpu } = flat({ source: 'int 0x80' })
    patchGate(cpu, 0x80, 13, 0x1f)
    machine.step()
    expect(cpu.rip).toBe(handlerAddress(0x80))
  })

  test('EXT while an exception or INT1 is delivered: 1 on AMD too, 0 for INT n', () => {
    for (const cpuName of ['panther-lake', 'zen4']) {
      for (const [event, expected] of [
        [{ kind: 'hardwareException', vector: 6 }, 6 * 8 + 3],
        [{ kind: 'int1' }, 1 * 8 + 3],
        [{ kind: 'softwareInterrupt', vector: 0x80 }, 0x80 * 8 + 2],
      ] as const) {
        const { cpu } = flat({ cpu: cpuName })
        const vector = event.kind === 'int1' ? 1 : event.vector
        // a type that is no gate's: #GP, and #NP would say the same
        patchGate(cpu, vector, 5, 0x80)
        raise(cpu, event)
        expect(readFrame(cpu, 13).errorCode).toBe(expected)
      }
    }
  })
})

describe('shadow stacks', () => {
  test('a delivery whose shadow-stack step faults reports the state before it: CPL, CS, SS and RSP are ring 3’s', () => {
    const { machine, cpu } = flat({ source: 'int 0x80', shadowStacks: true })
    cpu.space.write64(shadowToken(0, 0), shadowToken(0, 0) | 1n)
    patchGate(cpu, 13, 4, 1)
    runTo(machine, 13)
    expect(readFrame(cpu, 13)).toMatchObject({ ...RING3, errorCode: 0 })
  })

  test('a page fault on a token is one of a locked read-modify-write: W is 1', () => {
    const { machine, cpu } = flat({ source: 'int 0x80', shadowStacks: true })
    cpu.space.unmap(shadowToken(0, 0) & ~0xfffn)
    patchGate(cpu, 14, 4, 1)
    runTo(machine, 14)
    expect(readFrame(cpu, 14)).toMatchObject({ ...RING3, errorCode: WRITE_TO_SHADOW_STACK })
  })

  test('CLRSSBSY: CF is 0 for a busy token, which is free then, and 1 for a free or a wrong one, which stays', () => {
    for (const [offset, carry] of [
      [1n, 0n],
      [0n, 1n],
      [9n, 1n],
    ] as const) {
      const token = shadowToken(0, 1)
      const { machine, cpu } = flat({ site: 'host', source: `clrssbsy [${token}]`, shadowStacks: true })
      cpu.space.write64(token, token + offset)
      cpu.rflags = 0x8d7n ^ carry
      machine.step()
      expect(cpu.rflags & 0x8d5n).toBe(carry)
      expect(cpu.space.read64(token)).toBe(offset === 1n ? token : token + offset)
      expect(cpu.ssp).toBe(0n)
    }
  })
})

describe('blocking', () => {
  test('STI blocking does not hold an NMI back, as it does an interrupt', () => {
    const { machine, cpu } = flat({ site: 'host', source: 'sti\nnop\nnop' })
    cpu.rflags = 2n
    machine.step()
    pendInterrupt(cpu, 0x30)
    pendNmi(cpu)
    machine.step()
    expect(cpu.rip).toBe(handlerAddress(2))
    expect(readFrame(cpu, null).rip).toBe(HOST_CODE + 1n)
  })

  test('STI followed by MOV SS: the second one blocks for one more instruction', () => {
    const { machine, cpu } = flat({ site: 'host', source: 'sti\nmov ss, eax\nnop\nnop' })
    cpu.setGpr(0, 0x10n)
    cpu.rflags = 2n
    pendInterrupt(cpu, 0x30)
    runTo(machine, 0x30)
    expect(readFrame(cpu, null).rip).toBe(HOST_CODE + 4n)
  })

  test.each([
    ['panther-lake', 1n],
    ['zen4', 0n],
  ])('RF in the frame of a single step between iterations of a string instruction, on %s: %s', (cpuName, rf) => {
    const { machine, cpu } = flat({ cpu: cpuName, site: 'host', source: 'rep lodsb' })
    cpu.setGpr(1, 3n)
    cpu.setGpr(6, HOST_CODE)
    cpu.rflags = 0x102n
    runTo(machine, 1)
    expect(readFrame(cpu, null)).toMatchObject({ rip: HOST_CODE })
    expect((readFrame(cpu, null).rflags >> 16n) & 1n).toBe(rf)
  })

  test('an IRET that faults has unblocked NMIs already', () => {
    const { machine, cpu } = flat({ site: 'host', source: 'iretq' })
    cpu.rsp = stackTop(0, 0) - 0x80n
    cpu.words[STATUS] = cpu.words[STATUS]! | BLOCKED_BY_NMI
    runTo(machine, 13)
    expect(cpu.words[STATUS]! & BLOCKED_BY_NMI).toBe(0)
  })
})
