import { type Accesses, countAccesses, raise } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { flat, patchGate } from '../test/flat-machine.js'
import { GDT, HOST_CS, SYSCALL_ENTRY, shadowTable, shadowToken } from './flat/memory.js'

/** Accesses of 8 bytes each. */
const quads = (read: number, written: number): Accesses => ({
  read: { count: read, bytes: 8 * read },
  written: { count: written, bytes: 8 * written },
})

describe('A15: what one delivery through the IDT reads and writes', () => {
  test('INT n from ring 3: both halves of the gate, the descriptor of CS, TSS.RSP0; five quadwords pushed', () => {
    const { machine } = flat({ source: 'int 0x80' })
    expect(countAccesses(machine, () => void machine.step())).toEqual(quads(4, 5))
  })

  test('an exception with an error code pushes a sixth', () => {
    const { machine, cpu } = flat()
    const event = { kind: 'hardwareException', vector: 13 } as const
    expect(countAccesses(machine, () => raise(cpu, event))).toEqual(quads(4, 6))
  })

  test('in ring 0 no stack is read from the TSS, unless the gate names an IST', () => {
    for (const [vector, reads] of [
      [0x30, 3],
      [2, 4],
    ] as const) {
      const { machine, cpu } = flat({ site: 'host' })
      const run = () => raise(cpu, vector === 2 ? { kind: 'nmi' } : { kind: 'externalInterrupt', vector })
      expect(countAccesses(machine, run)).toEqual(quads(reads, 5))
    }
  })

  test('the first use of a code segment also writes its accessed bit: one byte', () => {
    const { machine, cpu } = flat({ source: 'int 0x80' })
    cpu.space.write(GDT + BigInt(HOST_CS) + 5n, Uint8Array.of(0x9a))
    expect(countAccesses(machine, () => void machine.step()).written).toEqual({ count: 6, bytes: 41 })
  })

  test('shadow stacks: the token is read and written; an IST also reads the interrupt SSP table', () => {
    const entering = flat({ source: 'int 0x80', shadowStacks: true })
    expect(countAccesses(entering.machine, () => void entering.machine.step())).toEqual(quads(5, 6))
    const nmi = flat({ site: 'host', shadowStacks: true })
    nmi.cpu.space.write64(shadowTable(0) + 16n, shadowToken(0, 2))
    // and CS, LIP and SSP on the new shadow stack
    expect(countAccesses(nmi.machine, () => raise(nmi.cpu, { kind: 'nmi' }))).toEqual(quads(6, 9))
  })

  test('a delivery that a nested fault ends counts with that fault', () => {
    const { machine, cpu } = flat({ source: 'int 0x80' })
    patchGate(cpu, 0x80, 5, 0x0e)
    // the gate of INT 80h (one half), and all of #GP's
    expect(countAccesses(machine, () => void machine.step())).toEqual(quads(5, 6))
  })

  test('SYSCALL is no event here: nothing is read or written', () => {
    const { machine, cpu } = flat({ source: 'syscall' })
    expect(countAccesses(machine, () => void machine.step())).toEqual(quads(0, 0))
    expect(cpu.rip).toBe(SYSCALL_ENTRY)
  })
})
