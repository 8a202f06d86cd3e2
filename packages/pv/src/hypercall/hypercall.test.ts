import { beforeEach, describe, expect, it } from 'vitest'
import { BOTH, pvBench, trapped } from '../../test/pv-machine.js'
import { vectorEntry } from '../guest/entry-points.js'
import { registerCallback, sendEvent, setTraps, stackSwitch } from '../guest/hypercalls.js'
import { IRET_HYPERCALL_RETURN } from '../guest/kernel.js'
import { ANCHORS } from '../guest/memory.js'
import { readEntry } from '../guest/seen.js'

const VGCF_IN_SYSCALL = 0x100n
const { code } = ANCHORS

describe.each(BOTH)('hypercalls under %s', (delivery) => {
  const bench = pvBench({ delivery })
  const { guest } = bench
  const idt = delivery === 'idt'
  beforeEach(() => bench.reset())

  describe('iret', () => {
    it('goes to user code when RPL is 3, to the kernel else; RAX, RCX, R11 are those of the frame', () => {
      bench.run('ud2')
      expect(bench.frame()).toMatchObject({ rcx: 3n, r11: 2n, cs: 0xe033n })
      expect(guest.register('rax')).toBe(1n)
      bench.reset()
      bench.run('ud2', { cs: 0xe032n })
      expect(bench.frame().cs).toBe(0xe030n)
    })

    it('IF of the frame becomes the upcall mask; IOPL and VM are not the guest’s', () => {
      bench.run('ud2', { rflags: 0x2_3002n })
      expect(bench.frame()).toMatchObject({ rflags: 0x1_0002n, cs: 0x1_0000_e033n })
    })

    it('kind 6: with VGCF_in_syscall the IDT forces RCX, R11, CS and SS; FRED uses those of the frame and of the SYSCALL', () => {
      expect(bench.run('ud2', { flags: VGCF_IN_SYSCALL })).toEqual(trapped(6))
      const { rcx, r11 } = bench.frame()
      expect([rcx, r11]).toEqual(idt ? [code, 0x202n] : [IRET_HYPERCALL_RETURN, 0x247n])
      bench.reset()
      const bad = bench.run('ud2', { flags: VGCF_IN_SYSCALL, cs: 0x5bn })
      expect(bad).toEqual(trapped(idt ? 6 : 13))
      expect(bench.frame().errorCode).toBe(idt ? null : 0x58n)
    })

    it.each([
      ['CS of data', { cs: 0x5bn }, 13, 0x58n],
      ['CS not present', { cs: 0x73n }, 11, 0x70n],
      ['SS of code', { ss: 0x4bn }, 13, 0x48n],
      ['SS read-only', { ss: 0x63n }, 13, 0x60n],
      ['SS not present', { ss: 0x6bn }, 12, 0x68n],
      ['RIP not canonical', { rip: 0x8000_0000_0000n }, 13, 0n],
    ] as const)('P6: %s in the frame is the guest’s fault, never Xen’s', (_, how, vector, errorCode) => {
      expect(bench.run('nop', how)).toEqual(trapped(vector))
      expect(bench.frame().errorCode).toBe(errorCode)
    })

    it('kind 12: RIP not canonical and CS not present: #NP under the IDT, #GP(0) under FRED', () => {
      expect(bench.run('nop', { cs: 0x73n, rip: 0x8000_0000_0000n })).toEqual(trapped(idt ? 11 : 13))
    })

    it('P6: a frame that cannot be read crashes the domain', () => {
      const stop = bench.run(`mov rsp, ${ANCHORS.nppage}\nmov eax, 23\nsyscall`, { kernel: true })
      expect(stop).toMatchObject({ crash: { reason: 'iret frame cannot be read' } })
    })
  })

  it('set_trap_table takes entries up to one with address 0; a non-canonical one is -EINVAL, an unreadable one -EFAULT', () => {
    const trap = { vector: 0x30, dpl: 3, maskEvents: false, cs: 0xe030, address: vectorEntry(0x30) }
    expect(setTraps(guest, [trap])).toBe(0n)
    expect(bench.run('int 0x30')).toEqual(trapped(0x30))
    bench.reset()
    expect(setTraps(guest, [{ ...trap, address: 0x8000_0000_0000n }])).toBe(-22n)
    expect(guest.hypercall(0, ANCHORS.nppage)).toBe(-14n)
  })

  it('callback_op refuses a non-canonical address (-EINVAL) and what it does not know (-ENOSYS)', () => {
    expect(registerCallback(guest, 'event', 0x8000_0000_0000n, false)).toBe(-22n)
    expect(guest.hypercall(30, 9n, ANCHORS.data)).toBe(-38n)
    expect(guest.hypercall(30, 0n, ANCHORS.nppage)).toBe(-14n)
  })

  it('stack_switch takes any stack; whether it can be one shows when it is used', () => {
    expect(stackSwitch(guest, 0n, 0xffff_8300_0000_0000n)).toBe(0n)
  })

  it('event_channel_op: EVTCHNOP_send makes the upcall pending, a port that is not there is -EINVAL', () => {
    expect(sendEvent(guest)).toBe(0n)
    expect(bench.vcpu().info.get('evtchn_upcall_pending')).toBe(1n)
    guest.cpu.space.write64(ANCHORS.data, 9999n)
    expect(guest.hypercall(32, 4n, ANCHORS.data)).toBe(-22n)
  })

  it('vcpu_op send_nmi, xen_version, an unknown number', () => {
    expect(guest.hypercall(24, 11n, 5n)).toBe(-2n)
    expect(guest.hypercall(17, 0n)).toBe(0x4_0017n)
    expect(guest.hypercall(17, 5n)).toBe(-38n)
    expect(readEntry(guest).upcallMask).toBe(1)
  })
})
