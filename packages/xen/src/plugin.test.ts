import { createMachine, pendNmi } from '@trapframe/core'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { describe, expect, it } from 'vitest'
import { enter, runTo, xenMachine } from '../test/xen-machine.js'
import { xen } from './index.js'

describe('xen()', () => {
  it('requires isa, idt and fred', () => {
    expect(() => createMachine({ cpu: 'skylake', plugins: [xen(), idt(), isa()] })).toThrow(
      'plugin "xen" requires "fred", which is not loaded',
    )
  })

  it('names the module to load it from', () => {
    const { machine } = xenMachine('panther-lake')
    expect(machine.recipe().plugins.map(([specifier]) => specifier)).toContain('@trapframe/xen')
  })

  it.each(['idt', 'fred'])(
    'keeps nothing outside of the machine’s state: a restored snapshot goes on identically (%s)',
    (delivery) => {
      const xen = xenMachine('panther-lake', { delivery }, 2)
      const labels = enter(xen, 'guest', 'again: syscall\nint 0x80\njmp again')
      runTo(xen, labels.get('again')!, xen.cpu, 300)
      const snapshot = xen.machine.snapshot()
      const walk = (): bigint[] => {
        const hashes: bigint[] = []
        for (let i = 0; i < 250; i++) {
          if (i % 40 === 20) pendNmi(xen.cpu)
          xen.machine.step()
          hashes.push(xen.machine.hash())
        }
        return hashes
      }
      const first = walk()
      xen.machine.restore(snapshot)
      expect(xen.machine.equals(snapshot)).toBe(true)
      expect(walk()).toEqual(first)
    },
  )

  it('a second boot of the same machine forgets the first', () => {
    const xen = xenMachine('panther-lake', { delivery: 'idt' })
    enter(xen, 'guest', 'ud2')
    runTo(xen, null)
    const again = xen.machine.boot('xen', { delivery: 'fred' })
    expect(xen.cpu.mechanism?.name).toBe('fred')
    expect(again.stackMap(xen.cpu).regions).toEqual(
      xenMachine('panther-lake', { delivery: 'fred' }).boot.stackMap(xen.cpu).regions,
    )
    const labels = enter({ ...xen, boot: again }, 'guest', 'syscall\nback: nop')
    runTo(xen, labels.get('back')!)
    expect(xen.cpu.cpl).toBe(3)
  })
})
