import { pendInterrupt } from '@trapframe/core'
import { raiseSoftirq, SCHEDULE_SOFTIRQ, VCPU_RUNNABLE } from '@trapframe/xen'
import { beforeEach, describe, expect, it } from 'vitest'
import { BOTH, calledBack, pvBench } from '../../test/pv-machine.js'
import { callbackEntry } from '../guest/entry-points.js'
import { registerCallback, stackSwitch } from '../guest/hypercalls.js'
import { sharedField } from '../guest/kernel.js'
import { ANCHORS, GUEST_GDT } from '../guest/memory.js'
import { loadSelector } from '../guest/operations.js'
import type { Stop } from '../guest/pv-guest.js'

/** A data segment of the guest's, which it loses while it does not run. */
const LOST = 0x5bn

describe.each(BOTH)('the failsafe callback under %s: a vCPU scheduled in with a bad data segment', (delivery) => {
  const bench = pvBench({ delivery })
  const { guest, machine } = bench
  beforeEach(() => bench.reset())

  /** The guest is put away on the way out of its iret hypercall, and comes back without the descriptor. */
  function rescheduled(how: Parameters<typeof bench.run>[1], name: 'ds' | 'gs' = 'ds'): Stop {
    expect(loadSelector(guest, name, LOST)).toBeNull()
    const { vcpu } = bench.vcpu()
    vcpu.set('flags', vcpu.get('flags') & ~VCPU_RUNNABLE)
    raiseSoftirq(guest.cpu, SCHEDULE_SOFTIRQ)
    expect(bench.run('nop', how).kind).toBe('stuck')
    machine.space(0n).write64(GUEST_GDT + (LOST & ~7n), 0n)
    vcpu.set('flags', vcpu.get('flags') | VCPU_RUNNABLE)
    raiseSoftirq(guest.cpu, SCHEDULE_SOFTIRQ)
    pendInterrupt(guest.cpu, 0xfc)
    return guest.run()
  }
  const slots = (): bigint[] =>
    Array.from({ length: 11 }, (_, n) => guest.cpu.space.read64(guest.cpu.rsp + BigInt(8 * n)))

  it('from user mode: RCX, R11, DS, ES, FS, GS, RIP, CS, RFLAGS, RSP, SS on the kernel stack', () => {
    expect(rescheduled({})).toEqual(calledBack('failsafe'))
    expect(guest.cpu.rsp).toBe(ANCHORS.kstack - 88n)
    const [rcx, r11, ds, es, fs, gs, rip, cs, rflags, rsp, ss] = slots()
    expect([rcx, r11]).toEqual([3n, 2n])
    expect([ds, es, fs, gs]).toEqual([LOST, 0xe02bn, 0n, 0n])
    expect([rip, cs, rflags, rsp, ss]).toEqual([ANCHORS.code, 0xe033n, 0x202n, ANCHORS.ustack, 0xe02bn])
    expect(guest.cpu.segment(3).selector).toBe(0)
    expect(guest.inKernelMode).toBe(true)
  })

  it('from kernel mode: on the stack that it is on, with RPL 0 in CS and the upcall mask beside it', () => {
    expect(rescheduled({ kernel: true, rflags: 2n }, 'gs')).toEqual(calledBack('failsafe'))
    expect(guest.cpu.rsp).toBe(ANCHORS.kcur - 88n)
    const all = slots()
    expect([all[5], all[7], all[8]]).toEqual([LOST, 0x1_0000_e030n, 2n])
  })

  it.each([false, true])('registered as masking events (%s), it masks them', (masks) => {
    expect(registerCallback(guest, 'failsafe', callbackEntry('failsafe'), masks)).toBe(0n)
    rescheduled({})
    expect(guest.cpu.space.read(sharedField('evtchn_upcall_mask'), 1)[0]).toBe(masks ? 1 : 0)
  })

  it('P6: without a callback, and with a stack that cannot be written or is in Xen’s range, the domain crashes', () => {
    expect(registerCallback(guest, 'failsafe', 0n, false)).toBe(0n)
    expect(rescheduled({})).toMatchObject({ crash: { reason: 'handler address is zero' } })
    for (const [rsp, reason] of [
      [ANCHORS.nppage + 0x800n, 'fault while writing the failsafe frame'],
      [0xffff_8300_0000_1000n, 'stack pointer lies in the hypervisor range'],
    ] as const) {
      bench.reset()
      expect(stackSwitch(guest, 0xe02bn, rsp)).toBe(0n)
      expect(rescheduled({})).toMatchObject({ crash: { reason } })
    }
  })
})
