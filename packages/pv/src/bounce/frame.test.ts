import { beforeEach, describe, expect, it } from 'vitest'
import { BOTH, calledBack, pvBench, trapped } from '../../test/pv-machine.js'
import { vectorEntry } from '../guest/entry-points.js'
import { clearTrap, sendEvent, setIopl, setTraps, stackSwitch, vmAssist } from '../guest/hypercalls.js'
import { ANCHORS } from '../guest/memory.js'
import { readEntry } from '../guest/seen.js'

const RF = 0x1_0000n

describe.each(BOTH)('the bounce frame under %s (P1)', (delivery) => {
  const bench = pvBench({ delivery })
  const { guest } = bench
  beforeEach(() => bench.reset())

  it('of user code: SS, RSP, RFLAGS, CS, RIP, R11, RCX on the registered stack, aligned to 16', () => {
    expect(stackSwitch(guest, 0xe02bn, ANCHORS.kstack - 8n)).toBe(0n)
    expect(bench.run('ud2')).toEqual(trapped(6))
    expect(readEntry(guest).frameAt).toBe(ANCHORS.kstack - 0x10n - 0x38n)
    expect(bench.frame()).toMatchObject({ rcx: 3n, r11: 2n, errorCode: null, rip: ANCHORS.code, cs: 0xe033n })
    expect(bench.frame()).toMatchObject({ rsp: ANCHORS.ustack, rflags: 0x202n | RF })
  })

  it('of the kernel: on the stack that it is on, and CS has RPL 0', () => {
    expect(bench.run('ud2', { kernel: true })).toEqual(trapped(6))
    expect(readEntry(guest).frameAt).toBe(ANCHORS.kcur - 0x38n)
    expect(bench.frame().cs).toBe(0xe030n)
  })

  it('kind 1: the SS slot holds FRED’s event information above the selector, and nothing under the IDT', () => {
    bench.run('ud2')
    const { ss } = bench.frame()
    expect(ss & 0xffffn).toBe(0xe02bn)
    expect((ss >> 32n) & 0xffn).toBe(delivery === 'fred' ? 6n : 0n)
  })

  it('kind 1 is none on revision rfc', () => {
    const rfc = pvBench({ delivery, revision: 'rfc' })
    rfc.run('ud2')
    expect(rfc.frame().ss).toBe(0xe02bn)
  })

  it('an error code lies between R11 and RIP; CR2 is in vcpu_info, with U in the code by guest mode', () => {
    expect(bench.run(`mov rax, [${ANCHORS.nppage}]`)).toEqual(trapped(14))
    expect([bench.frame().errorCode, readEntry(guest).cr2]).toEqual([4n, ANCHORS.nppage])
    bench.reset()
    expect(bench.run(`mov rax, [${ANCHORS.nppage}]`, { kernel: true })).toEqual(trapped(14))
    expect(bench.frame().errorCode).toBe(0n)
  })

  it('RFLAGS.IF in the frame is the inverse of the upcall mask, which is also in bits 39:32 of CS', () => {
    bench.run('ud2', { rflags: 0x2n })
    expect(bench.frame()).toMatchObject({ rflags: 0x2n | RF, cs: 0x1_0000_e033n })
    expect(readEntry(guest).rflags & 0x200n).toBe(0x200n)
  })

  it('the handler starts without TF, NT, AC and RF', () => {
    bench.run('ud2', { rflags: 0x4_4202n })
    expect(readEntry(guest).rflags).toBe(0x202n)
    expect(bench.frame().rflags).toBe(0x4_4202n | RF)
  })

  it('IOPL is in it with the assist architectural_iopl alone', () => {
    setIopl(guest, 1)
    bench.run('ud2')
    expect(bench.frame().rflags & 0x3000n).toBe(0n)
    bench.reset()
    vmAssist(guest, 'architectural_iopl', true)
    bench.run('ud2', { rflags: 0x1202n })
    expect(bench.frame().rflags & 0x3000n).toBe(0x1000n)
  })

  it('an entry that masks events sets the mask, whose old value the frame keeps', () => {
    setTraps(guest, [{ vector: 6, dpl: 0, maskEvents: true, cs: 0xe033, address: vectorEntry(6) }])
    bench.run('ud2')
    expect([readEntry(guest).upcallMask, bench.frame().cs]).toEqual([1, 0xe033n])
  })

  it.each([
    ['a null handler', 'handler address is zero', () => clearTrap(guest, 6)],
    [
      'a stack in Xen’s range',
      'stack pointer lies in the hypervisor range',
      () => stackSwitch(guest, 0xe02bn, 0xffff_8300_0000_1000n),
    ],
    [
      'a stack that is not there',
      'fault while writing the bounce frame',
      () => stackSwitch(guest, 0xe02bn, ANCHORS.nppage + 0x800n),
    ],
    [
      'a stack that cannot be written',
      'fault while writing the bounce frame',
      () => stackSwitch(guest, 0xe02bn, ANCHORS.ropage + 0x800n),
    ],
    [
      'a stack that is not canonical',
      'fault while writing the bounce frame',
      () => stackSwitch(guest, 0xe02bn, 0x8000_0000_1000n),
    ],
  ])('P6: %s crashes the domain: %s', (_, reason, spoil) => {
    spoil()
    expect(bench.run('ud2')).toMatchObject({ kind: 'crash', crash: { reason } })
  })

  it('an upcall is delivered after the exception that waits, on the way into its handler', () => {
    sendEvent(guest)
    expect(bench.run('ud2', { rflags: 0x202n })).toEqual(calledBack('event'))
    expect(readEntry(guest)).toMatchObject({ upcallMask: 1, upcallPending: 1 })
  })
})
