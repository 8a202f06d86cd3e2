import { CS } from '@trapframe/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { trapped as trap } from '../../test/pv-machine.js'
import { pv32Bench, STACK_SWITCH } from '../../test/pv32-machine.js'
import { vectorEntry } from '../guest/entry-points.js'
import { ANCHORS, GUEST_GDT, WORK_STACK_TOP } from '../guest/memory.js'
import { KERNEL_ARGUMENTS, RING1_STACK } from './guest.js'
import { FLAT_RING1_CS, FLAT_RING1_SS, FLAT_RING3_CS, FLAT_RING3_SS } from './selectors.js'

const SET_GDT = 2
const UPDATE_DESCRIPTOR = 10

describe('P4, P5: call gates of a 32-bit guest', () => {
  const bench = pv32Bench([3, 3], [6, 0], [13, 0], [14, 0], [0x20, 3], [0x21, 1], [0x80, 3])
  const { guest, user, frame } = bench

  const GATE = 8 * 8
  const gate = (selector: number, offset: bigint, dpl: number, parameters = 0): bigint =>
    (offset & 0xffffn) |
    (BigInt(selector) << 16n) |
    (BigInt(parameters | 0x8c00 | (dpl << 13)) << 32n) |
    ((offset >> 16n) << 48n)
  const setGate = (descriptor: bigint): void => {
    expect(guest.hypercall(SET_GDT, KERNEL_ARGUMENTS, 64)).toBe(0)
    const at = GUEST_GDT + BigInt(GATE)
    expect(guest.hypercall(UPDATE_DESCRIPTOR, at, 0, descriptor & 0xffff_ffffn, descriptor >> 32n)).toBe(0)
  }
  beforeEach(() => {
    bench.reset()
    guest.setWords(KERNEL_ARGUMENTS, GUEST_GDT >> 12n)
  })

  it('Xen makes the DPL of a gate 0 and keeps what it was in the RPL of its target', () => {
    setGate(gate(FLAT_RING1_CS, vectorEntry(0x30), 3))
    expect(guest.cpu.space.read64(GUEST_GDT + BigInt(GATE))).toBe(gate(FLAT_RING1_CS | 3, vectorEntry(0x30), 0))
  })

  it('a far CALL from ring 3 goes through it to ring 1: SS, ESP, the parameters, CS and EIP on the kernel’s stack', () => {
    setGate(gate(FLAT_RING1_CS, vectorEntry(0x30), 3, 2))
    expect(user(`push 0x11\npush 0x22\ncall ${GATE | 3}:0`)).toEqual(trap(0x30))
    expect(guest.cpu.rsp).toBe(RING1_STACK - 24n)
    expect(frame(6)).toEqual([
      Number(ANCHORS.code) + 4 + 7,
      FLAT_RING3_CS,
      0x22,
      0x11,
      Number(ANCHORS.ustack) - 8,
      FLAT_RING3_SS,
    ])
    expect([guest.cpu.cpl, guest.cpu.segment(CS).selector]).toEqual([1, FLAT_RING1_CS])
  })

  it('through a pointer in memory it is the same', () => {
    setGate(gate(FLAT_RING1_CS, vectorEntry(0x30), 3))
    guest.setWords(ANCHORS.data, 0, GATE | 3)
    expect(user(`mov ebx, ${ANCHORS.data}\ncall far dword [ebx]`)).toEqual(trap(0x30))
    expect(frame(4)[1]).toBe(FLAT_RING3_CS)
  })

  it('from ring 1 there is no change of stack', () => {
    setGate(gate(FLAT_RING1_CS, vectorEntry(0x30), 1))
    expect(guest.kernel(`call ${GATE | 1}:0`)).toEqual(trap(0x30))
    expect(guest.cpu.rsp).toBe(WORK_STACK_TOP - 8n)
  })

  it('a gate for ring 1 alone is #GP with its selector in ring 3; a JMP through one may not change rings', () => {
    setGate(gate(FLAT_RING1_CS, vectorEntry(0x30), 1))
    expect(user(`call ${GATE | 3}:0`)).toEqual(trap(13))
    expect(frame(2)).toEqual([GATE, Number(ANCHORS.code)])
    bench.reset()
    guest.setWords(KERNEL_ARGUMENTS, GUEST_GDT >> 12n)
    setGate(gate(FLAT_RING1_CS, vectorEntry(0x30), 3))
    expect(user(`jmp ${GATE | 3}:0`)).toEqual(trap(13))
    expect(frame(1)).toEqual([FLAT_RING1_CS & ~3])
  })

  it('P6: a kernel stack that is not there, or is no stack of ring 1, ends the domain', () => {
    for (const [ss, esp] of [
      [FLAT_RING1_SS, ANCHORS.nppage + 0x800n],
      [FLAT_RING3_SS, KERNEL_ARGUMENTS + 0x80n],
    ] as const) {
      bench.reset()
      guest.setWords(KERNEL_ARGUMENTS, GUEST_GDT >> 12n)
      setGate(gate(FLAT_RING1_CS, vectorEntry(0x30), 3))
      bench.setTraps([10, 0], [13, 0], [14, 0])
      expect(guest.hypercall(STACK_SWITCH, ss, esp)).toBe(0)
      expect(user(`call ${GATE | 3}:0`)).toMatchObject({ crash: { reason: 'fault while writing the bounce frame' } })
    }
  })
})
