import { CR0, XCR0 } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { delivered, enter, runTo, xenMachine } from '../../test/xen-machine.js'

/** OSFXSR, OSXMMEXCPT. */
const SSE = 0x600n
const VMXE = 0x2000n
const OSXSAVE = 0x4_0000n

describe('what Xen sets in control registers beside the delivery', () => {
  it.each(['idt', 'fred'])('exc/priv-smsw, exc/priv-xgetbv: CR0 and XCR0 under %s, on every CPU', (delivery) => {
    const { machine } = xenMachine('panther-lake', { delivery }, 2)
    for (const cpu of machine.cpus) {
      expect(cpu.get64(CR0)).toBe(0x8005_0033n)
      expect(cpu.get64(XCR0)).toBe(3n)
      expect(cpu.cr4 & (SSE | VMXE | OSXSAVE)).toBe(SSE | VMXE | OSXSAVE)
    }
  })

  it('only what CPUID has: no XCR0 without XSAVE, no VMX on AMD', () => {
    const { cpu } = xenMachine('zen4,-xsave')
    expect(cpu.cr4 & (VMXE | OSXSAVE)).toBe(0n)
    expect(cpu.get64(XCR0)).toBe(1n)
  })

  it.each([
    ['panther-lake', '#GP'],
    ['panther-lake,-vmx', '#UD'],
  ])(
    'exc/priv-vmcall: VMCALL in ring 3 on %s is %s, for Xen is in VMX root operation where there is VMX',
    (cpu, event) => {
      const xen = xenMachine(cpu, { delivery: 'idt' })
      enter(xen, 'guest', 'vmcall')
      expect(delivered(runTo(xen, xen.label('idle_loop')))[0]).toBe(event)
    },
  )
})
