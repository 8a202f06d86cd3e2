import { BLOCKED_BY_NMI, CS, createMachine, GDTR, LDTR, type Machine, STATUS, TABLE_LIMIT } from '@trapframe/core'
import { assemble, isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { GDT, GUEST_CODE, GUEST_DATA, HOST_CODE, HOST_DATA } from '../flat/memory.js'
import { readFrame } from '../frame/frame.js'
import { fred } from '../plugin.js'

/** What the GDT holds besides the flat segments, by selector. */
const RING0_CODE_32 = 0x30
const RING1_CODE = 0x38
const RING1_DATA = 0x40
const CALL_GATE = 0x50
const GUEST_GATE = 0x60
const ABSENT_GATE = 0x70

function about(source: string, site: 'guest' | 'host' = 'host'): Machine {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred(), isa()] })
  machine.boot('flat-fred').sites[site]!.enter(machine.cpu)
  const { cpu } = machine
  const put = (selector: number, descriptor: bigint): void => cpu.space.write64(GDT + BigInt(selector), descriptor)
  put(RING0_CODE_32, 0x00cf_9b00_0000_ffffn)
  put(RING1_CODE, 0x00af_bb00_0000_ffffn)
  put(RING1_DATA, 0x00cf_b300_0000_ffffn)
  put(CALL_GATE, 0x0012_8c00_0008_0100n)
  put(GUEST_GATE, 0x0012_ec00_0008_0100n)
  put(ABSENT_GATE, 0x0012_6c00_0008_0100n)
  cpu.words[GDTR + TABLE_LIMIT] = 0xff
  const origin = site === 'host' ? HOST_CODE : GUEST_CODE
  cpu.space.write(origin, assemble(source, { origin }).bytes)
  cpu.setGpr(3, site === 'host' ? HOST_DATA : GUEST_DATA)
  return machine
}

/** Steps over pushes, then over the transfer; the exception that it raised. */
function outcome(machine: Machine, steps: number): { vector: number; errorCode: number; cs: number } {
  for (let n = 0; n < steps; n++) machine.step()
  const { vector, errorCode, cs } = readFrame(machine.cpu)
  return { vector, errorCode, cs }
}

const iretFrame = (cs: number, ss: number): string => `
  push ${ss}
  push ${GUEST_DATA}
  push 0x202
  push ${cs}
  push ${GUEST_CODE}
  iretq`

describe('A3: what far transfers cannot do while FRED is active (fred.md, What else changes)', () => {
  test('IRET cannot change privilege: #GP(selector), to ring 3 and to ring 1', () => {
    expect(outcome(about(iretFrame(0x2b, 0x23)), 6)).toEqual({ vector: 13, errorCode: 0x28, cs: 8 })
    expect(outcome(about(iretFrame(RING1_CODE | 1, RING1_DATA | 1)), 6)).toEqual({ vector: 13, errorCode: 0x38, cs: 8 })
  })

  test('far RET cannot either: rings 1 and 2 cannot be entered at all', () => {
    const source = `push ${RING1_DATA | 1}\npush 0\npush ${RING1_CODE | 1}\npush ${GUEST_CODE}\ndb 0x48, 0xcb`
    expect(outcome(about(source), 5)).toEqual({ vector: 13, errorCode: 0x38, cs: 8 })
  })

  test('ring 0 compatibility mode cannot be entered: far JMP, far RET, IRET', () => {
    const jump = about('mov dword [rbx], 0\nmov word [rbx+4], 0x30\njmp far [rbx]')
    expect(outcome(jump, 3)).toEqual({ vector: 13, errorCode: RING0_CODE_32, cs: 8 })
    const ret = about(`push ${RING0_CODE_32}\npush ${GUEST_CODE}\ndb 0x48, 0xcb`)
    expect(outcome(ret, 3)).toEqual({ vector: 13, errorCode: RING0_CODE_32, cs: 8 })
    expect(outcome(about(iretFrame(RING0_CODE_32, 0x10)), 6)).toEqual({ vector: 13, errorCode: 0x30, cs: 8 })
  })

  test('call gates no longer exist: #GP(gate selector), for far CALL and far JMP, even if the gate is not present', () => {
    for (const transfer of ['call', 'jmp']) {
      const gated = (site: 'guest' | 'host', selector: number) =>
        outcome(about(`mov word [rbx+4], ${selector}\n${transfer} far [rbx]`, site), 2)
      expect(gated('host', CALL_GATE)).toMatchObject({ vector: 13, errorCode: CALL_GATE })
      expect(gated('guest', GUEST_GATE)).toMatchObject({ vector: 13, errorCode: GUEST_GATE })
      expect(gated('guest', ABSENT_GATE)).toMatchObject({ vector: 13, errorCode: ABSENT_GATE })
    }
  })

  test('IRET at the same privilege works, and still unblocks NMIs (F4)', () => {
    for (const source of [iretFrame(8, 0x10)]) {
      const machine = about(source)
      machine.cpu.words[STATUS] = BLOCKED_BY_NMI
      for (let n = 0; n < 6; n++) machine.step()
      expect([machine.cpu.rip, machine.cpu.cpl, machine.cpu.words[STATUS]]).toEqual([GUEST_CODE, 0, 0])
    }
  })

  test('ring 3 moves between its own 64-bit and compatibility segments as ever', () => {
    const machine = about(`mov dword [rbx], ${GUEST_CODE}\nmov word [rbx+4], 0x1b\njmp far [rbx]`, 'guest')
    for (let n = 0; n < 3; n++) machine.step()
    expect([machine.cpu.segment(CS).selector, machine.cpu.codeSize, machine.cpu.cpl]).toEqual([0x1b, 32, 3])
  })

  test('no LDT is needed for any of it', () => {
    expect(about('nop').cpu.segment(LDTR).access).toBe(0x10000)
  })
})
