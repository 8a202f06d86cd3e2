import {
  BLOCKED_BY_NMI,
  createMachine,
  loadHostState,
  type Machine,
  pendInterrupt,
  pendNmi,
  STATUS,
} from '@trapframe/core'
import { assemble, isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { ENTRY_PAGE, HOST_CODE, hostGsBase, stackTop } from './flat/memory.js'
import { encodeFrame, readFrame } from './frame/frame.js'
import { fred } from './plugin.js'

/** A host that has just left its guest: an NMI exit, if `nmiExit`, with `source` as what it does next. */
function afterExit(source: string, nmiExit: boolean): Machine {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred(), isa()] })
  machine.boot('flat-fred').sites.host!.enter(machine.cpu)
  const { cpu } = machine
  cpu.space.write(HOST_CODE, assemble(source, { origin: HOST_CODE }).bytes)
  const rsp = stackTop(0, 0) - 0x80n
  loadHostState(cpu, { rip: HOST_CODE, rsp, gsBase: hostGsBase(0), nmiExit })
  return machine
}

const steps = (machine: Machine, count: number): void => {
  for (let n = 0; n < count; n++) machine.step()
}
const nmiBlocked = (machine: Machine): boolean => (machine.cpu.words[STATUS]! & BLOCKED_BY_NMI) !== 0

/** A frame as the monitor builds it by hand, to be returned from by ERETS at `HOST_CODE + 0x800`. */
const handMade = (nmi: boolean): Uint8Array =>
  encodeFrame({
    errorCode: 0,
    rip: HOST_CODE + 0x800n,
    cs: 8,
    stackLevel: 0,
    waitForEndbranch: false,
    rflags: 2n,
    rsp: stackTop(0, 0) - 0x80n,
    ss: 0x10,
    stiBlocking: false,
    softwareEvent: false,
    nmi,
    vector: 2,
    type: 2,
    enclave: false,
    mode64: true,
    nested: false,
    length: 0,
    eventData: 0n,
  })

describe('A4: a VM exit is no event', () => {
  test('it goes to the host’s own RIP and stack: no frame, no entry point, whatever the stack level', () => {
    const machine = afterExit('nop', true)
    expect(machine.cpu.rip).toBe(HOST_CODE)
    expect(machine.cpu.rsp).toBe(stackTop(0, 0) - 0x80n)
    expect(machine.cpu.space.read64(stackTop(0, 0) - 0x88n)).toBe(0n)
    expect(nmiBlocked(machine)).toBe(true)
  })
})

describe('F1 to F4: what monitors do after the exit', () => {
  test('F1: `int 2` after an NMI exit is type 4, not an NMI, and NMIs stay blocked through its ERETS', () => {
    const machine = afterExit('int 2', true)
    machine.step()
    expect(readFrame(machine.cpu)).toMatchObject({ type: 4, vector: 2, nmi: false, softwareEvent: true })
    expect(machine.cpu.rip).toBe(ENTRY_PAGE + 256n)
    machine.step()
    expect(machine.cpu.rip).toBe(HOST_CODE + 2n)
    expect(nmiBlocked(machine)).toBe(true)
  })

  test('F2: `int 0xec` is type 4; the interrupt of that number would have been type 0', () => {
    const software = afterExit('int 0xec', false)
    software.step()
    expect(readFrame(software.cpu)).toMatchObject({ type: 4, vector: 0xec })
    const real = afterExit('nop', false)
    real.cpu.rflags = 0x202n
    pendInterrupt(real.cpu, 0xec)
    real.step()
    expect(readFrame(real.cpu)).toMatchObject({ type: 0, vector: 0xec, softwareEvent: false })
  })

  test('F3: the correct form: a hand-made type 2 frame, and ERETS with the NMI bit unblocks NMIs', () => {
    const machine = afterExit('erets', true)
    machine.cpu.rsp -= 0x100n
    machine.cpu.space.write(machine.cpu.rsp, handMade(true))
    machine.step()
    expect(machine.cpu.rip).toBe(HOST_CODE + 0x800n)
    expect(nmiBlocked(machine)).toBe(false)
  })

  test.each([
    ['RET', 'call f\nf: ret', 2, true],
    ['ERETS without the NMI bit', 'erets', 1, true],
    ['ERETS with the NMI bit', 'erets', 1, false],
    ['IRET', 'mov rax, rsp\npush 0x10\npush rax\npush 2\npush 8\nlea rax, [rel f]\npush rax\niretq\nf: nop', 8, false],
  ] as const)('F4: after %s a second NMI is held back: %s steps, blocked: %s', (what, source, count, blocked) => {
    const machine = afterExit(source, true)
    const { cpu } = machine
    if (source === 'erets') {
      cpu.rsp -= 0x100n
      cpu.space.write(cpu.rsp, handMade(!what.includes('without')))
    }
    pendNmi(cpu)
    steps(machine, count)
    expect(nmiBlocked(machine)).toBe(blocked)
    cpu.space.write(cpu.rip, Uint8Array.of(0x90))
    machine.step()
    expect(cpu.rip === ENTRY_PAGE + 256n).toBe(!blocked)
    if (!blocked) expect(readFrame(cpu)).toMatchObject({ type: 2, vector: 2, nmi: true })
  })
})
