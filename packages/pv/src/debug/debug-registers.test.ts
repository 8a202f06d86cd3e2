import { DR7, VECTOR_BP, VECTOR_DB, VECTOR_GP, VECTOR_UD } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { DATA, DELIVERIES, type Run, type RunOptions, runGuest } from '../../test/emulation-machine.js'
import { emulatePrivileged } from '../emulate/privileged.js'
import { EINVAL, ENODEV, EPERM } from '../hypercall/hypercall.js'
import { writeElement } from '../state/vcpu-array.js'
import { getDebugRegister, guestDr6, loadDebugRegisters, mergeDr6, setDebugRegister } from './debug-registers.js'
import { handleDebug } from './handle-debug.js'

const RAX = 0
const RBX = 3
const XENS = 0xffff_8300_0000_0000n
const CR4_DE = 8n

const run = (source: string, options: Partial<RunOptions> = {}): Run =>
  runGuest(source, {
    delivery: 'fred',
    ...options,
    handle: (context, event) =>
      event.vector === VECTOR_DB
        ? handleDebug(context, event)
        : event.vector === VECTOR_GP && emulatePrivileged(context),
  })

const vectorOf = ({ asked }: Run): number => (asked.at(-1)!.event as { vector: number }).vector

describe.each(DELIVERIES)('db/* under %s: what #DB leaves in the guest’s DR6', (delivery) => {
  it('db/tf-*: BS after a single step', () => {
    const result = run('nop\nnop', { delivery, rflags: 0x302n })
    expect(vectorOf(result)).toBe(VECTOR_DB)
    expect(guestDr6(result.context)).toBe(0xffff_4ff0n)
  })

  it('db/exec-bp*: B0 of a breakpoint that the guest has set, which is really armed', () => {
    const result = run('nop\nat: nop', {
      delivery,
      before(context) {
        expect(setDebugRegister(context, 0n, 0x40_0001n)).toBe(0)
        expect(setDebugRegister(context, 7n, 0x401n)).toBe(0)
      },
    })
    expect(vectorOf(result)).toBe(VECTOR_DB)
    expect(result.cpu.rip).toBe(result.labels.get('at'))
    expect(guestDr6(result.context)).toBe(0xffff_0ff1n)
  })

  it('db/watch-*: B0 after a write to what is watched', () => {
    const result = run('mov [rbx], rax\nnop', {
      delivery,
      registers: { [RBX]: DATA },
      before(context) {
        setDebugRegister(context, 0n, DATA)
        setDebugRegister(context, 7n, 0xd0401n)
      },
    })
    expect(guestDr6(result.context)).toBe(0xffff_0ff1n)
  })

  it('ICEBP alone leaves nothing there; nor does what an earlier #DB left in the CPU', () => {
    const result = run('db 0xf1', { delivery })
    expect(vectorOf(result)).toBe(VECTOR_DB)
    expect(guestDr6(result.context)).toBe(0xffff_0ff0n)
  })

  it('exc/priv-mov-dr*: MOV reads and writes them in the kernel', () => {
    const result = run('mov rax, 0x1000\nmov dr1, rax\nmov rbx, dr1', { delivery })
    expect(vectorOf(result)).toBe(VECTOR_BP)
    expect(result.gpr(RBX)).toBe(0x1000n)
    expect(vectorOf(run('mov dr1, rax', { delivery, user: true }))).toBe(VECTOR_GP)
  })

  it('P6: MOV to a debug register of an address of Xen’s is #GP', () => {
    expect(vectorOf(run('mov dr1, rax', { delivery, registers: { [RAX]: XENS } }))).toBe(VECTOR_GP)
  })

  it('with the guest’s CR4.DE there is no DR4: #UD; without, it is DR6', () => {
    expect(run('mov rax, dr4', { delivery }).gpr(RAX)).toBe(0xffff_0ff0n)
    const de = run('mov rax, dr4', { delivery, before: ({ vcpu }) => writeElement(vcpu, 'ctrlreg', 4, CR4_DE) })
    expect(de.asked.at(-1)).toMatchObject({ handled: true, injected: VECTOR_UD })
  })
})

/** A vCPU to work on. */
const context = () => run('nop').context

describe('set_debugreg and get_debugreg', () => {
  it('DR6: reserved bits are what they are, bits beyond 31 are EINVAL', () => {
    const guest = context()
    expect(setDebugRegister(guest, 6n, 0xffff_ffffn)).toBe(0)
    expect(getDebugRegister(guest, 6n)).toBe((0xffff_effn << 4n) | 0xfn)
    expect(setDebugRegister(guest, 6n, 0n)).toBe(0)
    expect(getDebugRegister(guest, 6n)).toBe(0xffff_0ff0n)
    expect(setDebugRegister(guest, 6n, 1n << 32n)).toBe(EINVAL)
  })

  it('DR7: reserved bits, GD is EPERM, I/O breakpoints need CR4.DE and never reach the CPU', () => {
    const guest = context()
    expect(setDebugRegister(guest, 7n, 0xffff_dbffn & ~0x2222_0000n)).toBe(0)
    expect(getDebugRegister(guest, 7n)! & 0xdc00n).toBe(0x400n)
    expect(setDebugRegister(guest, 7n, 1n << 13n)).toBe(EPERM)
    expect(setDebugRegister(guest, 7n, 1n << 40n)).toBe(EINVAL)
    expect(setDebugRegister(guest, 7n, 0x2_0401n)).toBe(EPERM)
    writeElement(guest.vcpu, 'ctrlreg', 4, CR4_DE)
    expect(setDebugRegister(guest, 7n, 0x2_0401n)).toBe(0)
    expect(getDebugRegister(guest, 7n)).toBe(0x2_0401n)
    expect(guest.cpu.words[DR7]! & 0xff).toBe(0)
  })

  it('P6: an address in Xen’s range is EPERM; without the check it would be watched', () => {
    const guest = context()
    expect(setDebugRegister(guest, 0n, XENS)).toBe(EPERM)
    const careless = { ...guest, checks: { ...guest.checks, outsideXen: () => true } }
    expect(setDebugRegister(careless, 0n, XENS)).toBe(0)
  })

  it('there are no others', () => {
    const guest = context()
    expect(setDebugRegister(guest, 8n, 0n)).toBe(ENODEV)
    expect(getDebugRegister(guest, 8n)).toBeNull()
  })

  it('a context switch to the guest arms what it has', () => {
    const guest = context()
    setDebugRegister(guest, 7n, 0x401n)
    guest.cpu.setControl(DR7, 0x400n)
    loadDebugRegisters(guest)
    expect(guest.cpu.words[DR7]).toBe(0x401)
  })

  it('breakpoints that matched replace the last ones, other conditions stay', () => {
    const guest = context()
    mergeDr6(guest, 0x4001n)
    mergeDr6(guest, 2n)
    expect(guestDr6(guest)).toBe(0xffff_4ff2n)
    mergeDr6(guest, 0n)
    expect(guestDr6(guest)).toBe(0xffff_4ff0n)
  })

  it('an I/O breakpoint is met by an emulated IN, and makes a #DB', () => {
    const result = run('in al, dx', {
      registers: { 2: 0x80n },
      before(guest) {
        writeElement(guest.vcpu, 'ctrlreg', 4, CR4_DE)
        guest.vcpu.set('iopl', 0x1000n)
        setDebugRegister(guest, 0n, 0x80n)
        setDebugRegister(guest, 7n, 0x2_0401n)
      },
    })
    expect(result.asked.at(-1)).toMatchObject({ handled: true, injected: VECTOR_DB })
    expect(guestDr6(result.context)).toBe(0xffff_0ff1n)
  })
})
