import { createMachine } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { assemble, isa } from '@trapframe/isa'
import { xen } from '@trapframe/xen'
import { describe, expect, it } from 'vitest'
import { BOTH } from '../test/pv-machine.js'
import { outsideCall } from './outside-call.js'
import { pv } from './plugin.js'

describe.each(BOTH)('code in ring 3 that has registered nothing, under %s', (delivery) => {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [isa(), idt(), fred(), xen(), pv()] })
  const boot = machine.boot('xen', { delivery })
  const site = boot.sites.guest!
  const start = machine.snapshot()
  const run = (source: string): string[] => {
    machine.restore(start)
    const { bytes, labels } = assemble(`${source}\nend: nop`, { origin: site.origin })
    machine.space(0n).write(site.origin, bytes)
    site.enter(machine.cpu)
    const log: string[] = []
    const release = machine.trace.on('log', ({ text }) => log.push(text))
    for (let i = 0; i < 600 && machine.cpu.rip !== labels.get('end'); i++) if (machine.step() === 'idle') break
    release()
    return log
  }

  it('finds INT n and INT3 as without this plugin: they return, and an exception ends the domain', () => {
    expect(run('int 0x80\nint 0x21\nint3')).toEqual([])
    expect(machine.cpu.cpl).toBe(3)
    expect(run('ud2').some((line) => line.includes('no handler'))).toBe(true)
  })

  it('is a PV guest as soon as it registers a stack: then nobody is there for an exception, and the reason says so', () => {
    const log = run('mov eax, 3\nmov edi, 0xe02b\nmov rsi, rsp\nsyscall\nud2')
    expect(log.some((line) => line.includes('handler address is zero'))).toBe(true)
  })

  it('makes hypercalls from the start', () => {
    run('mov eax, 17\nxor edi, edi\nsyscall')
    expect(machine.cpu.gpr(0)).toBe(0x4_0015n)
    expect(outsideCall({ machine, boot }).pv.get('initialised')).toBe(0n)
  })
})
