import { CR0, CR0_TS } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { DATA, runGuest } from '../../test/emulation-machine.js'
import type { PvContext } from '../context.js'
import { EFAULT, EINVAL, ENODEV, ENOSYS, EPERM } from '../hypercall/hypercall.js'
import { EMULATION_HYPERCALLS } from './hypercalls.js'

const SET_DEBUGREG = 8
const GET_DEBUGREG = 9
const FPU_TASKSWITCH = 5
const VM_ASSIST = 21
const PHYSDEV_OP = 33

/** A vCPU to work on, in a call from the guest. */
function inCall(check: (context: PvContext) => void): void {
  let called = false
  runGuest('ud2', {
    delivery: 'idt',
    handle(context) {
      called = true
      check(context)
      return false
    },
  })
  expect(called).toBe(true)
}

const call = (context: PvContext, number: number, ...args: bigint[]): unknown =>
  EMULATION_HYPERCALLS.find((one) => one.number === number)!.run(context, [...args, 0n, 0n, 0n, 0n, 0n].slice(0, 5))

describe('hypercalls for what Xen also emulates, with the results of the recordings (setupResults)', () => {
  it('set_debugreg, get_debugreg', () =>
    inCall((context) => {
      expect(call(context, SET_DEBUGREG, 0n, DATA)).toBe(0)
      expect(call(context, SET_DEBUGREG, 7n, 0xf0401n)).toBe(0)
      expect(call(context, GET_DEBUGREG, 0n)).toBe(DATA)
      expect(call(context, GET_DEBUGREG, 7n)).toBe(0xf0401n)
      expect(call(context, GET_DEBUGREG, 6n)).toBe(0xffff_0ff0n)
      expect(call(context, GET_DEBUGREG, 9n)).toBe(ENODEV)
      expect(call(context, SET_DEBUGREG, 1n, 0xffff_8300_0000_0000n)).toBe(EPERM)
    }))

  it('fpu_taskswitch', () =>
    inCall((context) => {
      expect(call(context, FPU_TASKSWITCH, 1n)).toBe(0)
      expect(context.cpu.words[CR0]! & CR0_TS).toBe(CR0_TS)
      expect(call(context, FPU_TASKSWITCH, 0n)).toBe(0)
      expect(context.cpu.words[CR0]! & CR0_TS).toBe(0)
    }))

  it('vm_assist: on, off, what there is not', () =>
    inCall((context) => {
      expect(call(context, VM_ASSIST, 0n, 4n)).toBe(0)
      expect(context.vcpu.get('vm_assist')).toBe(16n)
      expect(call(context, VM_ASSIST, 1n, 4n)).toBe(0)
      expect(context.vcpu.get('vm_assist')).toBe(0n)
      expect(call(context, VM_ASSIST, 0n, 9n)).toBe(EINVAL)
      expect(call(context, VM_ASSIST, 2n, 4n)).toBe(ENOSYS)
    }))

  it('physdev_op: IOPL and the map of ports', () =>
    inCall((context) => {
      const { cpu } = context
      cpu.space.write64(DATA, 3n)
      expect(call(context, PHYSDEV_OP, 6n, DATA)).toBe(0)
      expect(context.vcpu.get('iopl')).toBe(0x3000n)
      cpu.space.write64(DATA, 4n)
      expect(call(context, PHYSDEV_OP, 6n, DATA)).toBe(EINVAL)
      expect(call(context, PHYSDEV_OP, 6n, 0xdead_0000n)).toBe(EFAULT)
      cpu.space.write64(DATA, 0x5000n)
      cpu.space.write64(DATA + 8n, 0x1_0000n)
      expect(call(context, PHYSDEV_OP, 7n, DATA)).toBe(0)
      expect([context.pv.get('iobmp'), context.pv.get('iobmp_limit')]).toEqual([0x5000n, 0x1_0000n])
      cpu.space.write64(DATA + 8n, 0x1_0001n)
      expect(call(context, PHYSDEV_OP, 7n, DATA)).toBe(EINVAL)
      expect(call(context, PHYSDEV_OP, 99n, DATA)).toBe(ENOSYS)
    }))
})
