import {
  BLOCKED_BY_NMI,
  createMachine,
  pendInterrupt,
  pendNmi,
  type RaisedEvent,
  raise,
  STATUS,
  writeMsr,
} from '@trapframe/core'
import { assemble, isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { HOST_CODE, stackTop } from './flat/memory.js'
import { readFrame } from './frame/frame.js'
import { IA32_FRED_STKLVLS } from './msrs.js'
import { fred } from './plugin.js'

/**
 * Where recorders and specification disagree, or the specification is not settled, this is what the model answers;
 * docs/disputed.md has the reasons, and names the tests of answers that lie beside the code.
 */

function flat(source = 'nop') {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred(), isa()] })
  machine.boot('flat-fred').sites.host!.enter(machine.cpu)
  machine.cpu.space.write(HOST_CODE, assemble(source, { origin: HOST_CODE }).bytes)
  return { machine, cpu: machine.cpu }
}

/** Every exception but #PF, which stays on the stack that it met, has SL1. */
const ALL_BUT_PF_ON_SL1 = 0x5555_5555n & ~(3n << 28n)

describe('EXT in the error code of a fault met during delivery', () => {
  test.each<[string, RaisedEvent, number]>([
    ['an interrupt', { kind: 'externalInterrupt', vector: 0x30 }, 1],
    ['an NMI', { kind: 'nmi' }, 1],
    ['#UD', { kind: 'hardwareException', vector: 6 }, 1],
    ['INT1', { kind: 'int1' }, 1],
    ['INT n', { kind: 'softwareInterrupt', vector: 0x80 }, 0],
    ['INT3', { kind: 'int3' }, 0],
  ])('as under the IDT: #SS while %s is delivered', (_, event, expected) => {
    const { cpu } = flat()
    const levels = 1n << BigInt(2 * 12)
    writeMsr(cpu, IA32_FRED_STKLVLS, levels)
    cpu.rsp = 0x8000_0000_0000_0000n
    raise(cpu, event)
    expect(readFrame(cpu)).toMatchObject({ vector: 12, type: 3, errorCode: expected, nested: true })
    expect(cpu.rsp).toBe(stackTop(0, 1) - 64n)
  })
})

describe('NMI blocking', () => {
  test('an NMI whose delivery ends in #DF has not blocked NMIs: it was never delivered', () => {
    const { cpu } = flat()
    // #PF has no level of its own: it meets the same absent page, and #DF follows on SL1.
    writeMsr(cpu, IA32_FRED_STKLVLS, ALL_BUT_PF_ON_SL1 & ~(3n << 4n))
    cpu.rsp = 0x70_0000n
    raise(cpu, { kind: 'nmi' })
    expect(readFrame(cpu)).toMatchObject({ vector: 8, nmi: false, nested: false })
    expect(cpu.words[STATUS]! & BLOCKED_BY_NMI).toBe(0)
  })

  test('STI blocking does not hold an NMI back, and the frame of the NMI records it', () => {
    const { machine, cpu } = flat('sti\nnop\nnop')
    cpu.rflags = 2n
    machine.step()
    pendInterrupt(cpu, 0x30)
    pendNmi(cpu)
    machine.step()
    expect(readFrame(cpu)).toMatchObject({ type: 2, vector: 2, stiBlocking: true, rip: HOST_CODE + 1n })
  })
})
