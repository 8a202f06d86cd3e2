import { deliverEvent, faultEvent, gp, pendInterrupt, pf } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { enter, printed, runTo, xenMachine } from '../../test/xen-machine.js'

describe.each(['idt', 'fred'])('Xen’s own faults under %s', (delivery) => {
  const run = (source: string) => {
    const xen = xenMachine('panther-lake', { delivery })
    enter(xen, 'host', source)
    return { xen, lines: printed(runTo(xen, null)) }
  }

  it('#PF is fatal, with error code and address', () => {
    const { xen, lines } = run('mov ebx, 0xdead0000\nmov rax, [rbx]')
    expect(lines.slice(-6)).toEqual([
      '****************************************',
      'Panic on CPU 0:',
      'FATAL PAGE FAULT',
      '[error_code=0000]',
      'Faulting linear address: 00000000dead0000',
      '****************************************',
    ])
    expect(lines[2]).toBe('RIP:    e008:[<ffff82d040800005>] ffff82d040800005')
    expect(xen.cpu.rip - xen.label('panic_stop')).toBe(2n)
  })

  it('any other exception is a fatal trap, named as Xen names it', () => {
    const type = delivery === 'fred' ? 'type 3, HW_EXC, ' : ''
    expect(run('ud2').lines).toContain(`FATAL TRAP: ${type}vec 6, #UD[0000]`)
    expect(run('cli\nud2').lines).toContain(`FATAL TRAP: ${type}vec 6, #UD[0000] IN INTERRUPT CONTEXT`)
    expect(run('mov rax, 0x8000000000000000\nmov rax, [rax]').lines).toContain(`FATAL TRAP: ${type}vec 13, #GP[0000]`)
  })

  it('INT3 is an embedded breakpoint, and goes on', () => {
    expect(run('int3\ncli\nhlt').lines).toEqual(['Hit embedded breakpoint at ffff82d040800001'])
  })

  it('a single step into Xen ends with TF cleared', () => {
    const { xen, lines } = run('pushfq\nor dword [rsp], 0x100\npopfq\nnop\nnop\ncli\nhlt')
    expect(lines).toEqual([])
    expect(xen.cpu.rflags & 0x100n).toBe(0n)
  })

  it('an interrupt of Xen comes back to it', () => {
    const xen = xenMachine('panther-lake', { delivery })
    enter(xen, 'host', 'nop\nnop\ncli\nhlt')
    pendInterrupt(xen.cpu, 0x55)
    expect(printed(runTo(xen, null))).toEqual([])
    expect(xen.cpu.rip).toBe(xen.label('host') + 4n)
  })
})

describe('what differs by delivery', () => {
  it('INT n of Xen itself: an interrupt gate under the IDT, an event that nobody expects under FRED', () => {
    const idt = xenMachine('panther-lake', { delivery: 'idt' })
    enter(idt, 'host', 'int 0xec\ncli\nhlt')
    expect(printed(runTo(idt, null))).toEqual([])
    const fred = xenMachine('panther-lake', { delivery: 'fred' })
    enter(fred, 'host', 'int 0xec\ncli\nhlt')
    expect(printed(runTo(fred, null))).toContain('FATAL TRAP: type 4, SW_INT, vec 236, ')
  })

  it('a nested event is fatal under FRED', () => {
    const xen = xenMachine('panther-lake', { delivery: 'fred' })
    enter(xen, 'host', 'nop')
    deliverEvent(xen.cpu, { ...faultEvent(gp(0), true) })
    expect(printed(runTo(xen, null))).toContain('FATAL TRAP: type 3, HW_EXC, vec 13, #GP[0000]')
  })

  it('#DF from the guest’s context is fatal too', () => {
    for (const delivery of ['idt', 'fred']) {
      const xen = xenMachine('panther-lake', { delivery, options: { ist: false } })
      enter(xen, 'guest', 'nop')
      const stack = xen.boot.stackMap(xen.cpu).regions.find(({ name }) => name === 'primary')!
      xen.machine.space(0n).unmap(stack.address, 2)
      deliverEvent(xen.cpu, faultEvent(pf(4, 0x1000, 0), false))
      expect(printed(runTo(xen, null))[0]).toBe('*** DOUBLE FAULT ***')
    }
  })
})
