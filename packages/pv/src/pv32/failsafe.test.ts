import { ES, pendInterrupt } from '@trapframe/core'
import { raiseSoftirq, SCHEDULE_SOFTIRQ, VCPU_RUNNABLE } from '@trapframe/xen'
import { beforeEach, describe, expect, it } from 'vitest'
import { calledBack } from '../../test/pv-machine.js'
import { pv32Bench, STACK_SWITCH } from '../../test/pv32-machine.js'
import { callbackEntry } from '../guest/entry-points.js'
import { ANCHORS, GUEST_GDT } from '../guest/memory.js'
import { outsideCall } from '../outside-call.js'
import { KERNEL_ARGUMENTS, RING1_STACK } from './guest.js'
import { FLAT_RING1_CS, FLAT_RING1_SS, FLAT_RING3_CS, FLAT_RING3_SS } from './selectors.js'

const SET_CALLBACKS = 4
const SET_GDT = 2
const ENTRY = 11
const LOST = 0x5b
const DATA = 0x00cf_f300_0000_ffffn

describe('P5: the failsafe callback of a 32-bit guest', () => {
  const bench = pv32Bench([6, 0])
  const { guest, frame } = bench
  beforeEach(() => {
    bench.reset()
    guest.cpu.space.write64(GUEST_GDT + BigInt(8 * ENTRY), DATA)
    guest.setWords(KERNEL_ARGUMENTS, GUEST_GDT >> 12n)
    expect(guest.hypercall(SET_GDT, KERNEL_ARGUMENTS, 64)).toBe(0)
    register(callbackEntry('failsafe'), FLAT_RING1_CS)
  })
  const register = (address: bigint, cs: number): void =>
    expect(guest.hypercall(SET_CALLBACKS, FLAT_RING1_CS, 0, cs, address)).toBe(0)

  /** User code is about to run with ES of a segment that is gone when it does. */
  function rescheduled(): ReturnType<typeof guest.run> {
    expect(guest.kernel(`mov eax, ${LOST}\nmov es, eax`)).toEqual({ kind: 'done' })
    const { vcpu } = outsideCall({ machine: guest.machine, boot: guest.boot })
    vcpu.set('flags', vcpu.get('flags') & ~VCPU_RUNNABLE)
    raiseSoftirq(guest.cpu, SCHEDULE_SOFTIRQ)
    expect(bench.user('nop').kind).toBe('stuck')
    guest.cpu.space.write64(GUEST_GDT + BigInt(8 * ENTRY), 0n)
    vcpu.set('flags', vcpu.get('flags') | VCPU_RUNNABLE)
    raiseSoftirq(guest.cpu, SCHEDULE_SOFTIRQ)
    pendInterrupt(guest.cpu, 0xfc)
    return guest.run()
  }

  it('finds DS, ES, FS, GS as they were wanted below its bounce frame, and the bad one null', () => {
    expect(rescheduled()).toEqual(calledBack('failsafe'))
    expect(guest.cpu.rsp).toBe(RING1_STACK - 36n)
    expect(frame(9)).toEqual([
      FLAT_RING3_SS,
      LOST,
      0,
      0,
      Number(ANCHORS.code),
      FLAT_RING3_CS,
      0x202,
      Number(ANCHORS.ustack),
      FLAT_RING3_SS,
    ])
    expect([guest.cpu.cpl, guest.cpu.segment(ES).selector]).toEqual([1, 0])
  })

  it('P6: without a segment for it, or a stack that can be written, the domain ends', () => {
    register(0n, 0)
    expect(rescheduled()).toMatchObject({ crash: { reason: 'handler address is zero' } })
    bench.reset()
    guest.cpu.space.write64(GUEST_GDT + BigInt(8 * ENTRY), DATA)
    guest.setWords(KERNEL_ARGUMENTS, GUEST_GDT >> 12n)
    expect(guest.hypercall(SET_GDT, KERNEL_ARGUMENTS, 64)).toBe(0)
    expect(guest.hypercall(STACK_SWITCH, FLAT_RING1_SS, ANCHORS.nppage + 0x800n)).toBe(0)
    expect(rescheduled()).toMatchObject({ crash: { reason: 'fault while writing the failsafe frame' } })
  })
})
