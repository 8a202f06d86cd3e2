import { CS, codeAccess32, createMachine, EFER, type Machine } from '@trapframe/core'
import { assemble, isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { ENTRY_PAGE, GUEST_CODE, GUEST_CS32, HOST_CODE } from '../flat/memory.js'
import { readFrame } from '../frame/frame.js'
import { fred } from '../plugin.js'

/** A machine about to execute `source` at the guest or host site. */
function about(source: string, { site = 'guest', cpu = 'panther-lake', codeSize = 64 as 32 | 64 } = {}): Machine {
  const machine = createMachine({ cpu, plugins: [fred(), isa()] })
  const boot = machine.boot('flat-fred')
  boot.sites[site]!.enter(machine.cpu)
  const origin = site === 'guest' ? GUEST_CODE : HOST_CODE
  machine.cpu.space.write(origin, assemble(source, { origin, codeSize }).bytes)
  if (codeSize === 32) {
    machine.cpu.setSegment(CS, { selector: GUEST_CS32, base: 0n, limit: 0xffff_ffff, access: codeAccess32(3) })
  }
  return machine
}

/** The frame after one step. */
function frameOf(machine: Machine) {
  machine.step()
  return readFrame(machine.cpu)
}

describe('A2: instructions that are events', () => {
  test.each([
    ['int 0x80', 4, 0x80, 2],
    ['int 3', 4, 3, 2],
    ['db 0xcc', 6, 3, 1],
    ['db 0xf1', 5, 1, 1],
    ['syscall', 7, 1, 2],
    ['sysenter', 7, 2, 2],
    ['db 0x66, 0x48, 0xcd, 0x0e', 4, 14, 4],
  ])('%s: type %i, vector %i, length %i, from ring 3 and ring 0', (source, type, vector, length) => {
    for (const site of ['guest', 'host']) {
      const machine = about(source, { site })
      const { rip } = machine.cpu
      expect(frameOf(machine)).toMatchObject({ type, vector, length, rip: rip + BigInt(length), errorCode: 0 })
      expect(machine.cpu.rip).toBe(ENTRY_PAGE + (site === 'guest' ? 0n : 256n))
    }
  })

  test('INT n asks no gate whether ring 3 may: every vector arrives (F12: type 4 tells it from an interrupt)', () => {
    for (let vector = 0; vector < 256; vector++) {
      expect(frameOf(about(`db 0xcd, ${vector}`))).toMatchObject({ type: 4, vector, softwareEvent: true })
    }
  })

  test('INTO: type 6 vector 4 with OF, nothing without, #UD in 64-bit mode', () => {
    const set = about('db 0xce', { codeSize: 32 })
    set.cpu.rflags = 0x802n
    expect(frameOf(set)).toMatchObject({ type: 6, vector: 4, length: 1, mode64: false })
    const clear = about('db 0xce', { codeSize: 32 })
    clear.step()
    expect([clear.cpu.rip, clear.cpu.cpl]).toEqual([GUEST_CODE + 1n, 3])
    expect(frameOf(about('db 0xce'))).toMatchObject({ type: 3, vector: 6 })
  })

  test('SYSCALL looks at no EFER.SCE, and leaves RCX and R11 alone (F15)', () => {
    const machine = about('syscall')
    const { cpu } = machine
    cpu.setControl(EFER, cpu.efer & ~1n)
    cpu.setGpr(1, 1n)
    cpu.setGpr(11, 2n)
    expect(frameOf(machine)).toMatchObject({ type: 7, vector: 1 })
    expect([cpu.gpr(1), cpu.gpr(11)]).toEqual([1n, 2n])
  })

  test('SYSCALL from compatibility mode: #UD on Intel, an event on AMD; SYSENTER the other way round', () => {
    const frameFor = (source: string, cpu: string) => frameOf(about(source, { cpu, codeSize: 32 }))
    expect(frameFor('syscall', 'panther-lake')).toMatchObject({ type: 3, vector: 6 })
    expect(frameFor('syscall', 'zen6')).toMatchObject({ type: 7, vector: 1, mode64: false })
    expect(frameFor('sysenter', 'panther-lake')).toMatchObject({ type: 7, vector: 2, mode64: false })
    expect(frameFor('sysenter', 'zen6')).toMatchObject({ type: 3, vector: 6 })
  })

  test('a single step over SYSCALL: no #DB before the handler, which runs with TF clear; the frame keeps TF', () => {
    const machine = about('syscall')
    machine.cpu.rflags = 0x302n
    expect(frameOf(machine)).toMatchObject({ type: 7, rflags: 0x302n, softwareEvent: true, eventData: 0n })
    expect(machine.cpu.words[37]).toBe(0)
    expect(machine.cpu.rflags).toBe(2n)
  })
})
