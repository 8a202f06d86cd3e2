import { createMachine, DR, DR7 } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import {
  EINVAL,
  GUEST_CONTEXT,
  GUEST_CONTEXT_BYTES,
  PUBLIC_USER_REGS,
  setInfoGuest,
  TRAP_INFO_BYTES,
  VGCF_FAILSAFE_DISABLES_EVENTS,
  VGCF_I387_VALID,
  VGCF_IN_KERNEL,
  VGCF_ONLINE,
  VGCF_SYSCALL_DISABLES_EVENTS,
  viewBuffer,
  xen,
} from '@trapframe/xen'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GUEST_GDT, mapGuestMemory } from '../guest/memory.js'
import { outsideCall } from '../outside-call.js'
import { pv } from '../plugin.js'
import { getGuestContext, setGuestContext } from './guest-context.js'

const CASES = [
  ['idt', 'together'],
  ['idt', 'vm86'],
  ['fred', 'together'],
] as const

const FLAGS = [
  VGCF_I387_VALID,
  VGCF_IN_KERNEL,
  VGCF_FAILSAFE_DISABLES_EVENTS,
  VGCF_SYSCALL_DISABLES_EVENTS,
  VGCF_ONLINE,
] as const
const ADDRESSES = [
  'kernel_sp',
  'event_callback_eip',
  'failsafe_callback_eip',
  'syscall_callback_eip',
  'fs_base',
  'gs_base_kernel',
  'gs_base_user',
] as const

/** Of the lower half, or of the upper one beyond Xen's range. */
const address = fc.oneof(
  fc.bigInt({ min: 0n, max: 0x7fff_ffff_ffffn }),
  fc.bigInt({ min: 0xffff_8800_0000_0000n, max: 0xffff_ffff_ffff_ffffn }),
)
const bytes = (n: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: n, maxLength: n })

/** Contexts that Xen takes; anything may be in what is not an address or a table. */
const contexts = fc
  .record({
    noise: bytes(GUEST_CONTEXT_BYTES),
    addresses: fc.array(address, { minLength: ADDRESSES.length, maxLength: ADDRESSES.length }),
    rip: address,
    rsp: address,
    flags: fc.subarray([...FLAGS]),
    ldtPage: fc.bigInt({ min: 0n, max: 0x7_ffff_ffffn }),
    ldtEntries: fc.bigInt({ min: 0n, max: 8192n }),
    gdtEntries: fc.constantFrom(0n, 1n, 512n),
    traps: fc.array(address, { maxLength: 8 }),
  })
  .map(({ noise, addresses, rip, rsp, flags, ldtPage, ldtEntries, gdtEntries, traps }) => {
    const all = Uint8Array.from(noise)
    const view = viewBuffer(all, GUEST_CONTEXT)
    const regs = viewBuffer(view.part('user_regs'), PUBLIC_USER_REGS)
    ADDRESSES.forEach((name, n) => {
      view.set(name, addresses[n]!)
    })
    regs.set('rip', rip)
    regs.set('rsp', rsp)
    view.set(
      'flags',
      flags.reduce((some, flag) => some | flag, 0n),
    )
    view.set('ldt_base', ldtPage << 12n)
    view.set('ldt_ents', ldtEntries)
    view.set('gdt_ents', gdtEntries)
    view.part('gdt_frames').fill(0)
    const frames = new DataView(all.buffer, GUEST_CONTEXT.offsets.get('gdt_frames')!)
    if (gdtEntries > 0n) frames.setBigUint64(0, GUEST_GDT >> 12n, true)
    view.part('trap_ctxt').fill(0)
    const table = new DataView(all.buffer, GUEST_CONTEXT.offsets.get('trap_ctxt')!)
    traps.forEach((handler, n) => {
      table.setUint16(n * TRAP_INFO_BYTES + 2, n, true)
      table.setBigUint64(n * TRAP_INFO_BYTES + 8, handler, true)
    })
    return all
  })

describe.each(CASES)('X10: vcpu_guest_context under %s, layout %s', (delivery, layout) => {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [isa(), idt(), fred(), xen(), pv()] })
  const boot = machine.boot('xen', { delivery, options: { layout } })
  mapGuestMemory(machine.space(0n))
  const context = outsideCall({ machine, boot, layout })
  const start = machine.snapshot()

  it('what is set is got again: exactly, but for what Xen puts right, and that only once', () => {
    fc.assert(
      fc.property(contexts, (given) => {
        machine.restore(start)
        expect(setGuestContext(context, given)).toBe(0)
        const got = getGuestContext(context)
        expect(setGuestContext(context, got)).toBe(0)
        expect(getGuestContext(context)).toEqual(got)
        const [before, after] = [viewBuffer(given, GUEST_CONTEXT), viewBuffer(got, GUEST_CONTEXT)]
        for (const name of [...ADDRESSES, 'flags', 'ldt_base', 'ldt_ents', 'gdt_ents', 'vm_assist']) {
          expect([name, after.get(name)]).toEqual([name, before.get(name)])
        }
        const [regs, back] = [before, after].map((one) => viewBuffer(one.part('user_regs'), PUBLIC_USER_REGS))
        for (const name of ['rax', 'r15', 'rip', 'rsp', 'ds', 'es', 'fs', 'gs', 'saved_upcall_mask', 'error_code']) {
          expect([name, back!.get(name)]).toEqual([name, regs!.get(name)])
        }
        expect([back!.get('cs'), back!.get('ss')]).toEqual([regs!.get('cs') | 3n, regs!.get('ss') | 3n])
        const fpu = (before.get('flags') & VGCF_I387_VALID) === 0n ? new Uint8Array(512) : before.part('fpu_ctxt')
        expect(after.part('fpu_ctxt')).toEqual(fpu)
      }),
      { numRuns: 60 },
    )
  })

  const refused = (change: (view: ReturnType<typeof viewBuffer>) => void): void => {
    machine.restore(start)
    const before = getGuestContext(context)
    const given = new Uint8Array(GUEST_CONTEXT_BYTES)
    change(viewBuffer(given, GUEST_CONTEXT))
    expect(setGuestContext(context, given)).toBe(EINVAL)
    expect(getGuestContext(context)).toEqual(before)
  }

  it.each(ADDRESSES)('a %s that is not canonical is -EINVAL, and nothing changes', (name) => {
    refused((view) => view.set(name, 0x8000_0000_0000n))
  })

  it('so is an LDT in Xen’s range, not at a page, or with more entries than there are', () => {
    refused((view) => view.set('ldt_base', 0xffff_8300_0000_0000n))
    refused((view) => view.set('ldt_base', 0x10_0008n))
    refused((view) => view.set('ldt_ents', 8193n))
  })

  it('so is a GDT with a frame that is not the guest’s, that it may write, or that is too large', () => {
    const frame = (number: bigint) => (view: ReturnType<typeof viewBuffer>) => {
      const at = view.part('gdt_frames')
      new DataView(at.buffer, at.byteOffset).setBigUint64(0, number, true)
      view.set('gdt_ents', 8n)
    }
    refused(frame(0x1000n))
    refused(frame(0x16_0n))
    refused((view) => view.set('gdt_ents', 7169n))
  })

  it('so is a GDT with a descriptor that the guest may not have', () => {
    machine.restore(start)
    machine.space(0n).write64(GUEST_GDT, 0x0000_8900_0000_0067n)
    const changed = machine.snapshot()
    const given = new Uint8Array(GUEST_CONTEXT_BYTES)
    const view = viewBuffer(given, GUEST_CONTEXT)
    const frames = view.part('gdt_frames')
    new DataView(frames.buffer, frames.byteOffset).setBigUint64(0, GUEST_GDT >> 12n, true)
    view.set('gdt_ents', 1n)
    expect(setGuestContext(context, given)).toBe(EINVAL)
    machine.restore(changed)
  })

  it('a breakpoint in Xen’s range is left out, DR6 and DR7 get their fixed bits; none reaches the CPU', () => {
    machine.restore(start)
    const given = new Uint8Array(GUEST_CONTEXT_BYTES)
    const at = viewBuffer(given, GUEST_CONTEXT).part('debugreg')
    const debug = new DataView(at.buffer, at.byteOffset)
    debug.setBigUint64(0, 0x1234n, true)
    debug.setBigUint64(8, 0xffff_8300_0000_0000n, true)
    debug.setBigUint64(56, 0x1n, true)
    expect(setGuestContext(context, given)).toBe(0)
    const got = viewBuffer(getGuestContext(context), GUEST_CONTEXT).part('debugreg')
    const view = new DataView(got.buffer, got.byteOffset)
    expect([0, 8, 48, 56].map((offset) => view.getBigUint64(offset, true))).toEqual([0x1234n, 0n, 0xffff_0ff0n, 0x401n])
    expect([context.cpu.get64(DR), context.cpu.get64(DR7)]).toEqual([0n, 0x400n])
  })

  it('a context that is too short is an error', () => {
    expect(() => setGuestContext(context, new Uint8Array(10))).toThrow('5168')
    expect(() => setInfoGuest(context.cpu, context.vcpu, new Uint8Array(10))).toThrow('5168')
  })
})
