import { CR3, pendMachineCheck, pendNmi } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { delivered, enter, printed, runTo, xenMachine } from '../../test/xen-machine.js'
import { cpuStateOffset } from '../layout/cpu-info.js'
import { HOST_DATA, stackOf } from '../layout/memory.js'
import { GUEST_CR3, XEN_CR3 } from './isolation.js'

describe('page-table isolation', () => {
  it.each(['skylake', 'sapphire-rapids'])(
    'on %s a system call runs on Xen’s tables and comes back to the guest’s',
    (cpu) => {
      const xen = xenMachine(cpu, { delivery: 'idt', options: { xpti: true } })
      const labels = enter(xen, 'guest', 'syscall\nint 0x80\nint3\nback: nop')
      expect(xen.cpu.get64(CR3)).toBe(GUEST_CR3)
      const tables = new Set<bigint>()
      const release = xen.machine.observe({ dispatched: (running) => tables.add(running.get64(CR3)) })
      const entries = runTo(xen, labels.get('back')!)
      release()
      expect(printed(entries)).toEqual([])
      expect([...tables]).toEqual([XEN_CR3])
      expect(xen.cpu.get64(CR3)).toBe(GUEST_CR3)
    },
  )

  it('the guest’s tables have no page of Xen’s data', () => {
    const xen = xenMachine('skylake', { delivery: 'idt', options: { xpti: true } })
    expect(xen.machine.space(GUEST_CR3).flagsAt(HOST_DATA.linear)).toBe(0)
    expect(xen.machine.space(0n).flagsAt(HOST_DATA.linear)).not.toBe(0)
  })

  it.each([
    ['NMI', pendNmi],
    ['#MC', pendMachineCheck],
  ])(
    'X7: %s between any two instructions of the way in and out finds its way back to the tables that were there',
    (name, pend) => {
      const xen = xenMachine('skylake', { delivery: 'idt', options: { xpti: true } })
      const labels = enter(xen, 'guest', 'call_xen: syscall\nback: nop')
      const field = (of: string): bigint => stackOf(0).linear + BigInt(cpuStateOffset(of))
      const tables = () => [
        xen.cpu.get64(CR3),
        xen.machine.space(0n).read64(field('xen_cr3')),
        xen.machine.space(0n).read(field('use_pv_cr3'), 1)[0],
      ]
      xen.machine.step()
      let disturbed = 0
      while (xen.cpu.rip !== labels.get('back')) {
        const at = xen.cpu.rip
        const before = tables()
        const state = xen.machine.snapshot()
        pend(xen.cpu)
        const entries = runTo(xen, at)
        expect(delivered(entries)).toEqual([name])
        // Where CR3 is about to be loaded with what it holds in spirit already, only that load is repeated.
        expect(tables().slice(1)).toEqual(before.slice(1))
        runTo(xen, labels.get('back')!)
        expect(tables()).toEqual([GUEST_CR3, XEN_CR3, 1])
        xen.machine.restore(state)
        xen.machine.step()
        disturbed++
      }
      expect(disturbed).toBeGreaterThan(100)
    },
  )

  it('under FRED there is nothing to change, and asking for it is an error', () => {
    expect(() => xenMachine('panther-lake', { delivery: 'fred', options: { xpti: true } })).toThrow(
      'option "xpti" is true',
    )
  })
})
