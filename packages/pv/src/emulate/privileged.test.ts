import { CR4, CR4_FSGSBASE, VECTOR_DB, VECTOR_GP, VECTOR_PF, VECTOR_UD } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { DATA, DELIVERIES, type Run, type RunOptions, runGuest } from '../../test/emulation-machine.js'
import { guestDr6 } from '../debug/debug-registers.js'
import { readElement, writeElement } from '../state/vcpu-array.js'
import { loadGuestControls } from './guest-controls.js'
import { guestCr4 } from './guest-cr4.js'
import { emulatePrivileged } from './privileged.js'

const RAX = 0
const RCX = 1
const RDX = 2
const RBX = 3
const RDI = 7

/** Runs guest code whose #GP(0) go to the emulator. */
const run = (source: string, options: Partial<RunOptions> = {}): Run =>
  runGuest(source, {
    delivery: 'fred',
    ...options,
    before(context) {
      loadGuestControls(context)
      options.before?.(context)
    },
    handle: (context, { vector, errorCode }) => vector === VECTOR_GP && errorCode === 0 && emulatePrivileged(context),
  })

/** The exception that ended a run: of the guest, or of the emulator's making. */
function ending({ asked }: Run): string {
  const { event, handled, injected } = asked.at(-1)!
  if (event.kind !== 'exception') return event.kind
  if (handled) return `injected ${injected}`
  return event.vector === 3 ? 'done' : `guest's ${event.vector}`
}

const msr = (index: number, value = 0n): Readonly<Record<number, bigint>> => ({
  [RCX]: BigInt(index),
  [RAX]: value & 0xffff_ffffn,
  [RDX]: value >> 32n,
})

describe.each(DELIVERIES)('P3, exc/priv-* under %s: what a PV guest’s kernel finds emulated', (delivery) => {
  it.each([
    ['mov rax, cr0', 0x8005_0033n],
    ['mov rax, cr4', 0x620n],
    ['mov rax, dr7', 0x400n],
    ['mov rax, dr6', 0xffff_0ff0n],
  ])('%s reads the guest’s own view', (source, value) => {
    const result = run(source, { delivery })
    expect(ending(result)).toBe('done')
    expect(result.gpr(RAX)).toBe(value)
  })

  it.each(['clts', 'wbinvd'])('%s is done', (source) => {
    expect(ending(run(source, { delivery }))).toBe('done')
  })

  it.each([
    'mov rax, cr8',
    'lmsw ax',
    'lgdt [rbx]',
    'lidt [rbx]',
    'ltr ax',
    'invd',
    'hlt',
    'cli',
    'sti',
    'in al, dx',
    'vmcall',
    'wrmsrns',
  ])('%s stays a #GP', (source) => {
    expect(ending(run(source, { delivery, registers: { [RBX]: DATA } }))).toBe("guest's 13")
  })

  it.each([
    'mov rax, cr0',
    'mov rax, cr4',
    'mov rax, dr7',
    'clts',
    'wbinvd',
    'rdmsr',
    'wrmsr',
    'hlt',
    'in al, dx',
    'cli',
  ])('%s of user code stays a #GP', (source) => {
    const result = run(source, { delivery, user: true, registers: msr(0xc000_0101) })
    expect(ending(result)).toBe("guest's 13")
  })

  it('exc/cr4-set-fsgsbase: CR4.FSGSBASE is the guest’s to set, and RDGSBASE works then and only then', () => {
    const off = run('rdgsbase rax', { delivery })
    expect(ending(off)).toBe("guest's 6")
    const on = run('mov rax, cr4\nbts rax, 16\nmov cr4, rax\nrdgsbase rbx\nmov rcx, cr4', { delivery })
    expect(ending(on)).toBe('done')
    expect(on.gpr(RCX)).toBe(0x10620n)
    expect(on.cpu.words[CR4]! & CR4_FSGSBASE).not.toBe(0)
    expect(guestCr4(on.context)).toBe(0x10620n)
  })

  it('MOV to CR0 sets TS and nothing else', () => {
    const set = run('mov rax, cr0\nor eax, 8\nmov cr0, rax\nmov rbx, cr0', { delivery })
    expect(ending(set)).toBe('done')
    expect(set.gpr(RBX)).toBe(0x8005_003bn)
    expect(ending(run('mov rax, cr0\nand eax, ~0x10000\nmov cr0, rax', { delivery }))).toBe("guest's 13")
  })

  it('MOV to CR2 is seen by MOV from CR2 and in vcpu_info', () => {
    const result = run('mov cr2, rax\nmov rbx, cr2', { delivery, registers: { [RAX]: 0x1234n } })
    expect(result.gpr(RBX)).toBe(0x1234n)
    expect(result.context.info.get('cr2')).toBe(0x1234n)
  })

  it('a guest that single-steps gets #DB with DR6.BS after an emulated instruction (db/tf-*)', () => {
    const result = run('clts', { delivery, rflags: 0x302n })
    expect(ending(result)).toBe(`injected ${VECTOR_DB}`)
    expect(guestDr6(result.context)).toBe(0xffff_4ff0n)
  })

  it('iret/rip-noncanon-*: a RIP that is not canonical stays a #GP, a page that is gone becomes #PF of the fetch', () => {
    const at = (rip: bigint): Run =>
      runGuest('rdmsr', {
        delivery,
        handle(context) {
          context.regs.set('rip', rip)
          return emulatePrivileged(context)
        },
      })
    expect(at(0x8000_0000_0000n).asked.at(-1)!.handled).toBe(false)
    expect(at(0xdead_0000n).asked.at(-1)).toMatchObject({ handled: true, injected: VECTOR_PF, errorCode: 16 })
  })

  it('flags/*-in: port 80h reads as it was written, 0 at first', () => {
    const before: RunOptions['before'] = ({ vcpu }) => vcpu.set('iopl', 0x1000n)
    const result = run('in al, 0x80\nmov bl, al\nmov al, 0x5a\nout 0x80, al\nxor eax, eax\nin al, 0x80', {
      delivery,
      before,
      registers: { [RBX]: 0xffn },
    })
    expect(ending(result)).toBe('done')
    expect([result.gpr(RBX), result.gpr(RAX)]).toEqual([0n, 0x5an])
  })

  it('RF is cleared, RIP behind the instruction, a compatibility-mode RIP wraps', () => {
    const { cpu, labels } = run('clts\nnext: ud2', { delivery })
    expect(cpu.rip).toBe(labels.get('next'))
    expect(cpu.rflags).toBe(0x10202n)
  })

  it.each([
    [0xc000_0080, 0xd01n],
    [0x1b, 0xfee0_0900n],
  ])('exc/rdmsr-*: MSR %i reads as recorded', (index, value) => {
    const result = run('rdmsr', { delivery, registers: msr(index) })
    expect(ending(result)).toBe('done')
    expect((result.gpr(RDX) << 32n) | result.gpr(RAX)).toBe(value)
  })

  it.each([
    0xc000_0081, 0xc000_0082, 0xc000_0083, 0xc000_0084, 0x174, 0x175, 0x176, 0x1cc, 0x1cf, 0x1d0, 0x1d1, 0x1d4, 0x6a2,
    0x6a4, 0xe1, 0xdead_beef,
  ])('exc/rdmsr-*, exc/wrmsr-*: MSR %i is not the guest’s', (index) => {
    expect(ending(run('rdmsr', { delivery, registers: msr(index) }))).toBe("guest's 13")
    expect(ending(run('wrmsr', { delivery, registers: msr(index) }))).toBe("guest's 13")
  })

  it('exc/wrmsr-efer: what EFER holds may be written back, nothing else', () => {
    expect(ending(run('wrmsr', { delivery, registers: msr(0xc000_0080, 0xd01n) }))).toBe('done')
    expect(ending(run('wrmsr', { delivery, registers: msr(0xc000_0080, 0xd00n) }))).toBe("guest's 13")
  })

  it('P2, gs/wrmsr-*: GS_BASE is the base that the guest uses, KERNEL_GS_BASE the other', () => {
    const source = `mov rsi, gs:[0]\nmov ecx, 0xc0000102\nwrmsr\nrdmsr\nmov ebx, eax\nmov ecx, 0xc0000101\nrdmsr`
    const result = run(`wrmsr\n${source}`, { delivery, registers: msr(0xc000_0101, DATA) })
    expect(ending(result)).toBe('done')
    const other = run(`wrmsr\nmov eax, 0x1000\nmov ecx, 0xc0000102\nwrmsr\nmov ecx, 0xc0000101\nrdmsr`, {
      delivery,
      registers: msr(0xc000_0101, DATA),
    })
    expect(other.gpr(RAX)).toBe(DATA)
    expect(other.context.vcpu.get('gs_base_user')).toBe(0x1000n)
    expect(other.cpu.gsBase).toBe(DATA)
  })

  it.each([0xc000_0100, 0xc000_0101, 0xc000_0102])(
    'P6, gs/wrmsr-*-noncanon: a base that is not canonical is refused (MSR %i); without the check WRMSR faults in Xen',
    (index) => {
      const registers = msr(index, 0x8000_0000_0000n)
      expect(ending(run('wrmsr', { delivery, registers }))).toBe("guest's 13")
      expect(run('wrmsr', { delivery, registers, checks: { canonical: () => true } }).cpu.cpl).toBe(0)
    },
  )
})

describe('flags/*-in, flags/*-cli: port I/O and IF by the guest’s IOPL', () => {
  const ARCHITECTURAL = 1n << 4n
  it.each([
    [false, false, 0n, "guest's 13"],
    [false, false, 1n, 'done'],
    [false, true, 0n, 'done'],
    [true, true, 2n, "guest's 13"],
    [true, true, 3n, 'done'],
    [true, false, 3n, 'done'],
    [true, false, 1n, "guest's 13"],
  ])('user %s, architectural_iopl %s, IOPL %i: IN and CLI', (user, assist, iopl, expected) => {
    const before: RunOptions['before'] = ({ vcpu }) => {
      vcpu.set('iopl', iopl << 12n)
      if (assist) vcpu.set('vm_assist', ARCHITECTURAL)
    }
    for (const source of ['in al, dx', 'cli', 'sti', 'out dx, al']) {
      const result = run(source, { user, before })
      expect(ending(result)).toBe(expected)
      expect(result.cpu.rflags & 0x200n).toBe(0x200n)
    }
  })

  it('a clear bit in the guest’s own map of ports lets it through, a set one, the end of the map or a missing page do not', () => {
    const withMap =
      (map: bigint, limit: bigint): NonNullable<RunOptions['before']> =>
      ({ pv }) => {
        pv.set('iobmp', map)
        pv.set('iobmp_limit', limit)
      }
    const source = 'mov byte [rbx + 0x10], 0xfd\nin al, dx'
    const registers = { [RBX]: DATA, [RDX]: 0x81n }
    expect(ending(run(source, { user: true, registers, before: withMap(DATA, 0x100n) }))).toBe('done')
    expect(ending(run(source, { user: true, registers, before: withMap(DATA, 0x81n) }))).toBe("guest's 13")
    const taken = { [RBX]: DATA, [RDX]: 0x80n }
    expect(ending(run(source, { user: true, registers: taken, before: withMap(DATA, 0x100n) }))).toBe("guest's 13")
    expect(ending(run(source, { user: true, registers, before: withMap(0xdead_0000n, 0x100n) }))).toBe("guest's 13")
  })

  it('REP INSB stores and counts; a page that is missing is #PF of a write, with the registers of what is done', () => {
    const before: RunOptions['before'] = ({ vcpu }) => vcpu.set('iopl', 0x1000n)
    const done = run('rep insb', { before, registers: { [RDI]: DATA, [RCX]: 3n } })
    expect(ending(done)).toBe('done')
    expect([done.gpr(RDI), done.gpr(RCX)]).toEqual([DATA + 3n, 0n])
    expect(done.machine.space(0n).read(DATA, 4)).toEqual(new Uint8Array([0xff, 0xff, 0xff, 0]))
    const faulting = run('insb', { before, registers: { [RDI]: 0xdead_0000n } })
    expect(ending(faulting)).toBe(`injected ${VECTOR_PF}`)
    expect(faulting.asked.at(-1)!.errorCode).toBe(2)
    expect(faulting.context.info.get('cr2')).toBe(0xdead_0000n)
  })

  it('P6: INS does not store in Xen’s range', () => {
    const before: RunOptions['before'] = ({ vcpu }) => vcpu.set('iopl', 0x1000n)
    const xens = 0xffff_8300_0250_0000n
    const result = run('insb', { before, registers: { [RDI]: xens } })
    expect(ending(result)).toBe(`injected ${VECTOR_PF}`)
  })
})

describe('RDTSC, XSETBV', () => {
  it('RDTSC with the guest’s CR4.TSD: the kernel reads on, user code has #GP', () => {
    const before: RunOptions['before'] = (context) => {
      writeElement(context.vcpu, 'ctrlreg', 4, 4n)
      loadGuestControls(context)
    }
    expect(ending(run('rdtsc', { before }))).toBe('done')
    expect(ending(run('rdtsc', { before, user: true }))).toBe("guest's 13")
  })

  it('XSETBV is #UD without the guest’s CR4.OSXSAVE, and then takes x87 and SSE', () => {
    expect(ending(run('xsetbv', { registers: { [RAX]: 3n } }))).toBe(`injected ${VECTOR_UD}`)
    const before: RunOptions['before'] = ({ vcpu }) => writeElement(vcpu, 'ctrlreg', 4, 0x4_0000n)
    const one = run('xsetbv\nxgetbv', { before, registers: { [RAX]: 1n } })
    expect(ending(one)).toBe('done')
    expect(one.gpr(RAX)).toBe(1n)
    expect(ending(run('xsetbv', { before, registers: { [RAX]: 7n } }))).toBe("guest's 13")
    expect(readElement(one.context.vcpu, 'ctrlreg', 4)).toBe(0x4_0000n)
  })
})
