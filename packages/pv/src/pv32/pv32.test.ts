import {
  CR4,
  CR4_SMAP,
  CR4_SMEP,
  CS,
  createMachine,
  type Machine,
  PAGE_WRITABLE,
  type Snapshot,
  SS,
} from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { xen } from '@trapframe/xen'
import { beforeAll, beforeEach, describe, expect, it, test } from 'vitest'
import { callbackEntry, vectorEntry } from '../guest/entry-points.js'
import { ANCHORS, GUEST_GDT, WORK_STACK_TOP } from '../guest/memory.js'
import { pv } from '../plugin.js'
import { auditDescriptor } from '../segment/descriptor-audit.js'
import { switchToCompat } from './address-size.js'
import { KERNEL_ARGUMENTS, Pv32Guest, RING1_STACK } from './guest.js'
import { FLAT_RING1_CS, FLAT_RING1_SS, FLAT_RING3_CS, FLAT_RING3_SS } from './selectors.js'

const plugins = () => [isa(), idt(), fred(), xen(), pv()]
const SET_TRAP_TABLE = 0
const SET_GDT = 2
const STACK_SWITCH = 3
const UPDATE_DESCRIPTOR = 10
const XEN_VERSION = 17
const VM_ASSIST = 21
const SET_SEGMENT_BASE = 25
const CALLBACK_OP = 30
const EVENT_CHANNEL_OP = 32

describe('P5, X3: who may have a 32-bit guest', () => {
  const booted = (cmdline: string): { machine: Machine; log: string[]; boot: ReturnType<Machine['boot']> } => {
    const machine = createMachine({ cpu: 'panther-lake', plugins: plugins() })
    const boot = machine.boot('xen', { cmdline })
    const log: string[] = []
    machine.observe({ log: (_, text) => log.push(text) })
    return { machine, boot, log }
  }

  it.each([
    ['fred=1', 'FRED has no ring 1'],
    ['fred=1 pv=32', 'FRED has no ring 1'],
    ['fred=0', 'CET does not work'],
    ['fred=0 pv-shim', 'CET does not work'],
    ['fred=0 cet=0 pv=no-32', 'pv=no-32'],
  ])('a host with "%s" refuses it with -EOPNOTSUPP, says %s, and names PVShim', (cmdline, why) => {
    const { machine, boot } = booted(cmdline)
    const answer = switchToCompat(machine, boot)
    expect(answer.result).toBe(-95)
    expect(answer).toMatchObject({ reason: expect.stringContaining(why) })
    expect(answer).toMatchObject({ reason: expect.stringContaining('PVShim, a Xen that uses neither FRED nor CET') })
  })

  it('for dom0 the refusal is the end of the boot: "Dom0 failed to switch to compat: -95" and a panic', () => {
    const { machine, boot, log } = booted('fred=1')
    expect(switchToCompat(machine, boot, 'dom0').result).toBe(-95)
    expect(log[0]).toBe('Dom0 failed to switch to compat: -95')
    expect(log).toContain('Panic on CPU 0:')
    expect(log).toContain('Could not construct domain 0')
    expect(machine.cpu.rip).toBe(boot.labels.get('panic_stop'))
  })

  it.each(['pv-shim cet=0', 'fred=0 cet=0', 'pvshim no-cet'])('a host with "%s" takes it', (cmdline) => {
    const { machine, boot } = booted(cmdline)
    expect(switchToCompat(machine, boot)).toEqual({ result: 0 })
  })

  test('another host than Xen is an error', () => {
    const machine = createMachine({ cpu: 'panther-lake', plugins: plugins() })
    expect(() => switchToCompat(machine, machine.boot('flat-idt'))).toThrow('it is not Xen')
  })
})

describe('P5: a 32-bit guest under PVShim', () => {
  let guest: Pv32Guest
  let start: Snapshot
  beforeAll(() => {
    guest = new Pv32Guest(createMachine({ cpu: 'panther-lake', plugins: plugins() }))
    setTraps([3, 3], [6, 0], [13, 0], [14, 0], [0x20, 3], [0x21, 1], [0x80, 3])
    expect(guest.hypercall(STACK_SWITCH, FLAT_RING1_SS, RING1_STACK)).toBe(0)
    start = guest.machine.snapshot()
  })
  beforeEach(() => {
    guest.machine.restore(start)
    guest.log.length = 0
  })

  function setTraps(...entries: readonly (readonly [vector: number, flags: number, cs?: number])[]): void {
    const words = entries.flatMap(([vector, flags, cs = FLAT_RING1_CS]) => [
      vector | (flags << 8) | (cs << 16),
      vectorEntry(vector),
    ])
    guest.setWords(KERNEL_ARGUMENTS, ...words, 0, 0)
    expect(guest.hypercall(SET_TRAP_TABLE, KERNEL_ARGUMENTS)).toBe(0)
  }
  const user = (source: string, eflags = 0x202n): ReturnType<Pv32Guest['run']> => {
    guest.placeUser(source)
    return guest.iret({ eip: ANCHORS.code, cs: FLAT_RING3_CS, eflags, ss: FLAT_RING3_SS })
  }
  const frame = (count: number): number[] => guest.words(guest.cpu.rsp, count)
  const trap = (vector: number) => ({ kind: 'entry', entry: { kind: 'trap', vector } })

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

  it('ring 3 cannot touch the kernel’s pages, which are not user pages, and ring 1 can', () => {
    expect(user(`mov eax, [${KERNEL_ARGUMENTS}]`)).toEqual(trap(14))
    expect(frame(1)).toEqual([5])
    guest.machine.restore(start)
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
    guest.machine.restore(start)
    expect(user('int 0x21')).toEqual(trap(13))
    expect(frame(1)).toEqual([0x21 * 8 + 2])
    guest.machine.restore(start)
    expect(guest.kernel('int 0x21')).toEqual(trap(0x21))
    guest.machine.restore(start)
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
    guest.machine.restore(start)
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
    setTraps([6, 0, 0])
    guest.setWords(KERNEL_ARGUMENTS, 0)
    expect(guest.kernel('ud2')).toMatchObject({ crash: { unhandled: 'vec 6, #UD', reason: 'handler address is zero' } })
    for (const [ss, esp] of [
      [FLAT_RING1_SS, ANCHORS.nppage + 0x800n],
      [0x5b, RING1_STACK],
    ] as const) {
      guest.machine.restore(start)
      expect(guest.hypercall(STACK_SWITCH, ss, esp)).toBe(0)
      expect(user('ud2')).toMatchObject({ crash: { reason: 'fault while writing the bounce frame' } })
    }
  })

  it('the selector of a handler is the guest’s own, with RPL 1 at the least', () => {
    setTraps([6, 0, FLAT_RING1_CS & ~3])
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

  describe('P4: call gates', () => {
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
    beforeEach(() => guest.setWords(KERNEL_ARGUMENTS, GUEST_GDT >> 12n))

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
      guest.machine.restore(start)
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
        guest.machine.restore(start)
        guest.setWords(KERNEL_ARGUMENTS, GUEST_GDT >> 12n)
        setGate(gate(FLAT_RING1_CS, vectorEntry(0x30), 3))
        setTraps([10, 0], [13, 0], [14, 0])
        expect(guest.hypercall(STACK_SWITCH, ss, esp)).toBe(0)
        expect(user(`call ${GATE | 3}:0`)).toMatchObject({ crash: { reason: 'fault while writing the bounce frame' } })
      }
    })
  })
})

describe('P5: descriptors of 32-bit guests', () => {
  const ring = (descriptor: bigint): bigint => (descriptor >> 45n) & 3n
  it('are for ring 1 at the least, and keep a ring beyond', () => {
    expect(ring(auditDescriptor(0x00cf_9300_0000_ffffn, true)!)).toBe(1n)
    expect(ring(auditDescriptor(0x00cf_d300_0000_ffffn, true)!)).toBe(2n)
    expect(ring(auditDescriptor(0x00cf_9300_0000_ffffn)!)).toBe(3n)
  })
  it('64-bit code is refused, a gate to Xen’s code too; a gate may have up to 31 parameters', () => {
    expect(auditDescriptor(0x00af_fb00_0000_ffffn, true)).toBeNull()
    expect(auditDescriptor(0x0000_ec00_e008_0000n, true)).toBeNull()
    expect(auditDescriptor(0x0000_ec1f_e019_0000n, true)).toBe(0x0000_8c1f_e01b_0000n)
    expect(auditDescriptor(0x0000_ec20_e019_0000n, true)).toBeNull()
    expect(auditDescriptor(0x0000_ec01_e033_0000n)).toBeNull()
  })
  it('a flat segment that ended where Xen once began is extended, one from elsewhere is left', () => {
    expect(auditDescriptor((0x00cf_b300_0000_67ffn & ~(0xfn << 48n)) | (0xfn << 48n), true)! & 0xffffn).toBe(0xffffn)
    expect(auditDescriptor(0x00c1_b300_0000_ffffn, true)).toBe(0x00c1_b300_0000_ffffn)
    expect(auditDescriptor(0x00cf_b300_1000_67ffn, true)! & 0xffffn).toBe(0x67ffn)
  })
})

test('P5: a page of the guest that ring 1 alone may write stays writable for Xen on its behalf', () => {
  const guest = new Pv32Guest(createMachine({ cpu: 'panther-lake', plugins: plugins() }))
  expect(guest.cpu.space.flagsAt(KERNEL_ARGUMENTS) & PAGE_WRITABLE).toBe(PAGE_WRITABLE)
  guest.setWords(KERNEL_ARGUMENTS, 1)
  expect(guest.hypercall(EVENT_CHANNEL_OP, 4, KERNEL_ARGUMENTS)).toBe(0)
})
