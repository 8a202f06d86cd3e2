import { CR4, CR4_SMAP, CR4_SMEP, CS, SS } from '@trapframe/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { trapped as trap } from '../../test/pv-machine.js'
import { pv32Bench, STACK_SWITCH } from '../../test/pv32-machine.js'
import { callbackEntry } from '../guest/entry-points.js'
import { ANCHORS, WORK_STACK_TOP } from '../guest/memory.js'
import { KERNEL_ARGUMENTS, RING1_STACK } from './guest.js'
import { FLAT_RING1_CS, FLAT_RING1_SS, FLAT_RING3_CS, FLAT_RING3_SS } from './selectors.js'

const XEN_VERSION = 17
const VM_ASSIST = 21
const SET_SEGMENT_BASE = 25
const CALLBACK_OP = 30
const EVENT_CHANNEL_OP = 32

describe('P5: a 32-bit guest under PVShim', () => {
  const bench = pv32Bench([3, 3], [6, 0], [13, 0], [14, 0], [0x20, 3], [0x21, 1], [0x80, 3])
  const { guest, user, frame } = bench
  beforeEach(() => bench.reset())

  it('runs its kernel in ring 1, in compatibility mode', () => {
    expect(guest.kernel('mov eax, cs\nmov edx, ss')).toEqual({ kind: 'done' })
    expect([guest.register('rax'), guest.register('rdx')]).toEqual([BigInt(FLAT_RING1_CS), BigInt(FLAT_RING1_SS)])
    expect([guest.cpu.cpl, guest.cpu.codeSize]).toEqual([1, 32])
  })

  it('makes a hypercall by INT 82h, with the number in EAX and the result there', () => {
    expect(guest.hypercall(XEN_VERSION, 0)).toBe(0x4_0015)
    expect(guest.hypercall(XEN_VERSION, 1)).toBe(-38)
    expect(guest.hypercall(99)).toBe(-38)
    expect(guest.hypercall(SET_SEGMENT_BASE, 0, 0)).toBe(-38)
  })

  it('INT 82h of its user code is #GP(412h): the gate’s DPL is 1', () => {
    expect(user('int 0x82')).toEqual(trap(13))
    expect(frame(2)).toEqual([0x412, Number(ANCHORS.code)])
  })

  it('an exception of ring 3 pushes SS, ESP, EFLAGS, CS with the upcall mask, EIP on ring 1’s stack, 32 bits each', () => {
    expect(user('ud2', 0x2n)).toEqual(trap(6))
    expect(guest.cpu.rsp).toBe(RING1_STACK - 20n)
    const [eip, cs, eflags, esp, ss] = frame(5)
    expect([eip, cs, esp, ss]).toEqual([
      Number(ANCHORS.code),
      FLAT_RING3_CS | 0x1_0000,
      Number(ANCHORS.ustack),
      FLAT_RING3_SS,
    ])
    // RF as #UD saves it, and IF = !mask
    expect(eflags).toBe(0x1_0002)
    expect([guest.cpu.segment(CS).selector, guest.cpu.segment(SS).selector]).toEqual([FLAT_RING1_CS, FLAT_RING1_SS])
  })

  it('an exception of ring 1 stays on its stack and pushes three slots, with RPL 1 in CS', () => {
    expect(guest.kernel('ud2')).toEqual(trap(6))
    expect(guest.cpu.rsp).toBe(WORK_STACK_TOP - 12n)
    expect(frame(2)[1]).toBe(FLAT_RING1_CS | 0x1_0000)
  })

  it('an error code lies below EIP; CR2 of a page fault is in vcpu_info', () => {
    expect(user(`mov eax, [${ANCHORS.nppage}]`)).toEqual(trap(14))
    expect(guest.cpu.rsp).toBe(RING1_STACK - 24n)
    expect(frame(2)).toEqual([4, Number(ANCHORS.code)])
    expect(guest.words(guest.shared('cr2'), 1)).toEqual([Number(ANCHORS.nppage)])
  })

  it('a page fault without handler ends the domain, and the address that is told is its own', () => {
    bench.setTraps([14, 0, 0])
    expect(user(`mov eax, [${ANCHORS.nppage}]`)).toMatchObject({ crash: { faultAddress: ANCHORS.nppage } })
  })

  it('ring 3 cannot touch the kernel’s pages, which are not user pages, and ring 1 can', () => {
    expect(user(`mov eax, [${KERNEL_ARGUMENTS}]`)).toEqual(trap(14))
    expect(frame(1)).toEqual([5])
    bench.reset()
    expect(guest.kernel(`mov eax, [${KERNEL_ARGUMENTS}]`)).toEqual({ kind: 'done' })
  })

  it('SMEP and SMAP are off while the guest runs, and on while Xen works for it', () => {
    const both = CR4_SMEP | CR4_SMAP
    expect(guest.cpu.words[CR4]! & both).toBe(0)
    const seen: number[] = []
    const release = guest.machine.trace.on('dispatch', ({ routine }) => {
      if (routine === 'compat_xen_version') seen.push(guest.cpu.words[CR4]! & both)
    })
    guest.hypercall(XEN_VERSION, 0)
    release()
    expect(seen).toEqual([both])
    expect(guest.cpu.words[CR4]! & both).toBe(0)
  })

  it('INT n goes by the DPL of the trap table, kernel counting as ring 1', () => {
    expect(user('int 0x20')).toEqual(trap(0x20))
    expect(frame(1)).toEqual([Number(ANCHORS.code) + 2])
    bench.reset()
    expect(user('int 0x21')).toEqual(trap(13))
    expect(frame(1)).toEqual([0x21 * 8 + 2])
    bench.reset()
    expect(guest.kernel('int 0x21')).toEqual(trap(0x21))
    bench.reset()
    expect(user('int 0x80')).toEqual(trap(0x80))
  })

  it('iret goes back to ring 3 with EAX from the frame, and its IF to the upcall mask', () => {
    const end = guest.placeUser('nop')
    guest.cpu.space.write(end, Uint8Array.of(0xcc))
    const frameAt = { eip: ANCHORS.code, cs: FLAT_RING3_CS, ss: FLAT_RING3_SS }
    expect(guest.iret(frameAt, 0x1234n)).toEqual(trap(3))
    expect(guest.register('rax')).toBe(0x1234n)
    expect(frame(3)).toEqual([Number(end) + 1, FLAT_RING3_CS, 0x202])
    expect(guest.words(guest.shared('evtchn_upcall_pending'), 1)).toEqual([0])
  })

  it('iret within ring 1 takes no ESP and SS from the frame', () => {
    guest.placeUser('ud2')
    expect(guest.iret({ eip: ANCHORS.code, cs: FLAT_RING1_CS, eflags: 2n })).toEqual(trap(6))
    // the frame of iret was four slots
    expect(guest.cpu.rsp).toBe(WORK_STACK_TOP - 0x40n + 16n - 12n)
  })

  it('P6: iret to ring 0, and with a frame that is not there, ends the domain', () => {
    expect(guest.iret({ eip: ANCHORS.code, cs: 0xe008 })).toMatchObject({ kind: 'crash' })
    bench.reset()
    expect(guest.kernel(`mov esp, ${ANCHORS.nppage}\nmov eax, 23\nint 0x82`)).toMatchObject({
      kind: 'crash',
      crash: { reason: 'iret frame cannot be read' },
    })
  })

  it('P6: iret with a bad CS is the guest’s #GP with its selector', () => {
    expect(guest.iret({ eip: ANCHORS.code, cs: 0x5b, ss: FLAT_RING3_SS })).toEqual(trap(13))
    expect(frame(1)).toEqual([0x58])
  })

  it('iret to vm86 mode, which is not there, is #GP(0) with the guest’s own frame on the kernel stack', () => {
    expect(guest.iret({ eip: 0x10n, cs: 0x2000, eflags: 0x2_0202n, esp: 0x30n, ss: 0x4000 })).toEqual(trap(13))
    expect(guest.cpu.rsp).toBe(RING1_STACK - 40n)
    expect(frame(6)).toEqual([0, 0x10, 0x2000, 0x2_0202, 0x30, 0x4000])
  })

  it('P6: a handler in a null segment, and a stack that cannot be written or has no segment, end the domain', () => {
    bench.setTraps([6, 0, 0])
    guest.setWords(KERNEL_ARGUMENTS, 0)
    expect(guest.kernel('ud2')).toMatchObject({ crash: { unhandled: 'vec 6, #UD', reason: 'handler address is zero' } })
    for (const [ss, esp] of [
      [FLAT_RING1_SS, ANCHORS.nppage + 0x800n],
      [0x5b, RING1_STACK],
    ] as const) {
      bench.reset()
      expect(guest.hypercall(STACK_SWITCH, ss, esp)).toBe(0)
      expect(user('ud2')).toMatchObject({ crash: { reason: 'fault while writing the bounce frame' } })
    }
  })

  it('the selector of a handler is the guest’s own, with RPL 1 at the least', () => {
    bench.setTraps([6, 0, FLAT_RING1_CS & ~3])
    expect(user('ud2')).toEqual(trap(6))
    expect(guest.cpu.segment(CS).selector).toBe(FLAT_RING1_CS)
  })

  it('an event is delivered by upcall at the callback’s selector and offset, and masks further ones', () => {
    guest.setWords(KERNEL_ARGUMENTS, 0, FLAT_RING1_CS, callbackEntry('event'))
    expect(guest.hypercall(CALLBACK_OP, 0, KERNEL_ARGUMENTS)).toBe(0)
    guest.setWords(KERNEL_ARGUMENTS, 33)
    expect(guest.hypercall(EVENT_CHANNEL_OP, 4, KERNEL_ARGUMENTS)).toBe(0)
    expect(guest.words(guest.shared('evtchn_pending_sel'), 1)).toEqual([2])
    expect(user('nop')).toEqual({ kind: 'entry', entry: { kind: 'callback', name: 'event' } })
    expect(guest.cpu.space.read(guest.shared('evtchn_upcall_mask'), 1)[0]).toBe(1)
    expect(frame(2)).toEqual([Number(ANCHORS.code), FLAT_RING3_CS])
  })

  it('a privileged instruction of ring 1 is emulated, of ring 3 not', () => {
    expect(guest.kernel('mov eax, cr0')).toEqual({ kind: 'done' })
    expect(guest.register('rax')).toBe(0x8005_0033n)
    expect(user('mov eax, cr0')).toEqual(trap(13))
  })

  it('architectural_iopl: IOPL of an iret frame is the guest’s, and is in its frames', () => {
    expect(guest.hypercall(VM_ASSIST, 0, 4)).toBe(0)
    expect(user('ud2', 0x3202n)).toEqual(trap(6))
    expect(frame(3)[2]! & 0x3000).toBe(0x3000)
  })
})
