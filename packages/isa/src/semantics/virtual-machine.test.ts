import { type Cpu, CR4, UnsupportedError } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { bytesOf, DATA, eventOf, execute, testCpu } from './test-machine.js'
import { VMXE_BIT } from './virtual-machine.js'

const VMXE = 1n << BigInt(VMXE_BIT.bit)
const enabled = (cpu: Cpu) => cpu.setControl(CR4, cpu.cr4 | VMXE)
const page = (address: bigint) => ({ prepare: enabled, registers: { rbx: DATA }, data: bytesOf(address, 8) })

/** Runs code at CPL 3 on a CPU that is in VMX root operation. */
function inRoot(source: string): string {
  return eventOf(source, {
    cpl: 3,
    prepare: (cpu) => {
      enabled(cpu)
      cpu.words[cpu.machine.layout.regions.get('isa/vmx')!.slot] = 1
    },
  })
}

describe('VMCALL and its kin at CPL 3', () => {
  const names = ['vmcall', 'vmlaunch', 'vmresume', 'vmxoff', 'vmread rax, rcx', 'vmwrite rax, rcx', 'vmptrld [rbx]']

  test.each(names)('%s outside VMX operation is #UD', (source) => {
    expect(eventOf(source, { cpl: 3 })).toBe('#UD')
    expect(eventOf(source, { cpl: 3, cpu: 'skylake,-vmx' })).toBe('#UD')
  })

  test.each([...names, 'vmxon [rbx]'])('%s in VMX root operation is #GP(0), as a PV guest of Xen sees it', (source) => {
    expect(inRoot(source)).toBe('#GP(0)')
  })

  test('VMFUNC is #UD in root operation too', () => {
    expect(inRoot('vmfunc')).toBe('#UD')
  })
})

describe('VMXON', () => {
  test('is #UD without CR4.VMXE, which MOV to CR4 sets on a CPU with VMX', () => {
    expect(eventOf('vmxon [rbx]', { registers: { rbx: DATA } })).toBe('#UD')
    const setBit = 'mov rax, cr4\nbts rax, 13\nmov cr4, rax'
    expect(eventOf(setBit)).toBe('')
    expect(eventOf(setBit, { cpu: 'skylake,-vmx' })).toBe('#GP(0)')
  })

  test('enters root operation; VMXOFF leaves it', () => {
    const entered = execute('vmxon [rbx]\nvmcall', page(0x7000n))
    expect([entered.event, entered.flags]).toEqual(['', 'CF'])
    expect(eventOf('vmxon [rbx]\nvmxoff\nvmcall', page(0x7000n))).toBe('#UD')
  })

  test.each([0x7008n, 1n << 52n])('fails for the region at %s: CF, and no root operation', (address) => {
    expect(execute('vmxon [rbx]', page(address)).flags).toBe('CF')
    expect(eventOf('vmxon [rbx]\nvmcall', page(address))).toBe('#UD')
  })

  test('what needs a VMCS stops the run by name', () => {
    expect(() => execute('vmxon [rbx]\nvmptrld [rbx]', page(0x7000n))).toThrow(UnsupportedError)
    expect(() => execute('vmxon [rbx]\nvmptrld [rbx]', page(0x7000n))).toThrow(/vmptrld/)
  })
})

test('a CPU starts outside VMX operation', () => {
  const cpu = testCpu()
  expect(cpu.words[cpu.machine.layout.regions.get('isa/vmx')!.slot]).toBe(0)
})
