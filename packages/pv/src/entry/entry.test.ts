import { beforeEach, describe, expect, it } from 'vitest'
import { BOTH, calledBack, pvBench, trapped } from '../../test/pv-machine.js'
import { vectorEntry } from '../guest/entry-points.js'
import { clearTrap, registerCallback, setTraps } from '../guest/hypercalls.js'
import { ANCHORS } from '../guest/memory.js'
import { readEntry } from '../guest/seen.js'

const { code } = ANCHORS

describe.each(BOTH)('ways into the guest’s kernel under %s (P1)', (delivery) => {
  const bench = pvBench({ delivery })
  const { guest } = bench
  const idt = delivery === 'idt'
  beforeEach(() => bench.reset())
  const permit = (vector: number, dpl: number): bigint =>
    setTraps(guest, [{ vector, dpl, maskEvents: false, cs: 0xe033, address: vectorEntry(vector) }])

  describe('SYSCALL', () => {
    it('of user code calls back with RCX = RIP and R11 = RFLAGS, SS and CS flat', () => {
      expect(bench.run('syscall')).toEqual(calledBack('syscall'))
      expect(bench.frame()).toMatchObject({ rcx: code + 2n, r11: 0x202n, rip: code + 2n, cs: 0xe033n, ss: 0xe02bn })
    })

    it('of the kernel is a hypercall: an unknown number is -ENOSYS in RAX', () => {
      expect(bench.run('mov eax, 999\nsyscall\nud2', { kernel: true })).toEqual(trapped(6))
      expect(BigInt.asIntN(64, guest.register('rax'))).toBe(-38n)
    })

    it('kind 4: without a callback it is #UD; RIP goes back by 2 under the IDT, by the real length under FRED', () => {
      registerCallback(guest, 'syscall', 0n, false)
      expect(bench.run('nop\nrep syscall')).toEqual(trapped(6))
      expect(bench.frame().rip).toBe(code + (idt ? 2n : 1n))
    })

    it('kind 7: FRED clears DF before the frame is built; the IDT keeps it there, and ANDs RFLAGS with the frame’s address', () => {
      bench.run('std\nsyscall')
      expect(bench.frame().rflags & 0x400n).toBe(idt ? 0x400n : 0n)
      const { rflags, frameAt } = readEntry(guest)
      expect(rflags).toBe(idt ? (0x602n & frameAt) | 0x202n : 0x202n)
    })
  })

  describe('SYSENTER', () => {
    it('kind 5: loses RIP and RSP; the handler’s IF is set under the IDT and clear under FRED', () => {
      expect(bench.run('sysenter')).toEqual(calledBack('sysenter'))
      expect(bench.frame()).toMatchObject({ rip: 0n, rsp: 0n, cs: 3n, ss: 0xe02bn, rflags: 0x202n })
      expect(readEntry(guest).rflags & 0x200n).toBe(idt ? 0x200n : 0n)
    })

    it('without a callback is #GP(0)', () => {
      registerCallback(guest, 'sysenter', 0n, false)
      expect(bench.run('sysenter')).toEqual(trapped(13))
      expect(bench.frame().errorCode).toBe(0n)
    })
  })

  describe('INT n', () => {
    it('permitted by the trap table is delivered behind the instruction; kind 2: RF is set under the IDT alone', () => {
      permit(0x20, 3)
      expect(bench.run('int 0x20')).toEqual(trapped(0x20))
      expect(bench.frame()).toMatchObject({ rip: code + 2n, rflags: idt ? 0x1_0202n : 0x202n, errorCode: null })
    })

    it('refused is #GP(n × 8 + 2) at the instruction; the kernel counts as ring 1', () => {
      permit(0x20, 1)
      expect(bench.run('int 0x20')).toEqual(trapped(13))
      expect(bench.frame()).toMatchObject({ rip: code, errorCode: 0x102n })
      bench.reset()
      permit(0x20, 1)
      expect(bench.run('int 0x20', { kernel: true })).toEqual(trapped(0x20))
    })

    it('kind 3: INT 80h does not look at the DPL under the IDT, and does under FRED', () => {
      permit(0x80, 0)
      expect(bench.run('int 0x80')).toEqual(trapped(idt ? 0x80 : 13))
      if (!idt) expect(bench.frame().errorCode).toBe(0x402n)
    })

    it('INT 80h without entry is #GP(402h); kind 4: with a prefix RIP is that of INT under the IDT', () => {
      expect(bench.run('int 0x80')).toEqual(trapped(13))
      expect(bench.frame()).toMatchObject({ rip: code, errorCode: 0x402n })
      bench.reset()
      bench.run('rep int 0x80')
      expect(bench.frame().rip).toBe(code + (idt ? 1n : 0n))
    })

    it('kind 4: a REX prefix before a permitted INT n is #GP under the IDT', () => {
      permit(0x20, 3)
      expect(bench.run('db 0x48\nint 0x20')).toEqual(trapped(idt ? 13 : 0x20))
    })

    it('INT3 and INTO’s vector arrive as exceptions, behind the instruction', () => {
      expect(bench.run('int3')).toEqual(trapped(3))
      expect(bench.frame().rip).toBe(code + 1n)
      expect(bench.run('int 4', {})).toEqual(trapped(4))
    })
  })

  it('kind 10: SWAPGS of user code is #GP(0) under the IDT, #UD under FRED', () => {
    expect(bench.run('swapgs')).toEqual(trapped(idt ? 13 : 6))
  })

  it('P6: an exception without handler crashes the domain, and the log says which', () => {
    clearTrap(guest, 6)
    expect(bench.run('ud2')).toMatchObject({ crash: { unhandled: 'vec 6, #UD', rip: code } })
  })
})

describe.each(BOTH)('kind 14, on AMD under %s: SYSCALL from compatibility mode', (delivery) => {
  const bench = pvBench({ delivery, cpu: 'zen6' })
  beforeEach(() => bench.reset())
  it('of user code is the syscall32 callback', () => {
    expect(bench.run('syscall', { cs: 0xe023n })).toEqual(calledBack('syscall32'))
  })
  it('of the kernel is that too under the IDT, and a hypercall under FRED', () => {
    const stop = bench.run('mov eax, 999\nsyscall\nud2', { cs: 0xe020n })
    expect(stop).toEqual(delivery === 'idt' ? calledBack('syscall32') : trapped(6))
  })
})
