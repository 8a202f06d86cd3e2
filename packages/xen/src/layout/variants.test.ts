import { pendNmi } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { enter, printed, runTo, type XenMachine, xenMachine } from '../../test/xen-machine.js'
import { CPU_INFO, cpuInfoLayout, cpuStateOffset } from './cpu-info.js'
import { stackOf } from './memory.js'
import { HYPERVISOR_DS32 } from './selectors.js'
import { USER_REGS_BYTES } from './user-regs.js'

const stack = stackOf(0).linear

/** What the exit path executed from its last POP on, and where it read from memory besides. */
function lastInstructions(xen: XenMachine, program = 'syscall\nback: nop'): string[] {
  const labels = enter(xen, 'guest', program)
  const entries = runTo(xen, labels.get('back')!)
  expect(printed(entries)).toEqual([])
  const texts = entries.flatMap((entry) => (entry.type === 'instruction' && entry.cpl === 0 ? [entry.text] : []))
  return texts.slice(texts.lastIndexOf('pop rdi') + 1)
}

describe.each(['idt', 'fred'] as const)('X9: the exit path’s constant displacements, under %s', (delivery) => {
  it.each(['syscall', 'int 0x80'])(
    'after %s scf and verw_sel are read from RSP, with every register the guest’s',
    (call) => {
      const xen = xenMachine('panther-lake', { delivery })
      const texts = lastInstructions(xen, `${call}\nback: nop`)
      expect(texts.slice(0, 3)).toEqual(['test byte [rsp+0x7c], 0x8', expect.stringMatching(/^je /), 'verw [rsp+0x44]'])
    },
  )

  it('they are where RSP leads: error_code is 7ch below scf in every frame from a guest', () => {
    const errorCode = CPU_INFO.guestRegs + 120
    expect(cpuStateOffset('scf') - errorCode).toBe(0x7c)
    expect(cpuStateOffset('verw_sel') - errorCode).toBe(0x44)
  })

  it('an scf without the bit: no VERW', () => {
    const xen = xenMachine('panther-lake', { delivery })
    xen.machine.space(0n).write(stack + BigInt(cpuStateOffset('scf')), Uint8Array.of(0))
    expect(lastInstructions(xen).join(' ')).not.toContain('verw')
  })
})

describe.each(['idt', 'fred'] as const)('X13: cpu_user_regs apart from cpu_info, under %s', (delivery) => {
  const apart = () => xenMachine('panther-lake', { delivery, options: { layout: 'apart' } })

  it('the frames go to the end of page 6, the per-CPU state stays at the end of page 7', () => {
    const { boot, cpu } = apart()
    const { regions } = boot.stackMap(cpu)
    expect(regions.slice(0, 2).map(({ name, kind, address, bytes }) => [name, kind, address - stack, bytes])).toEqual([
      ['cpu_info', 'data', 0x7000n, 0x1000],
      ['primary', 'stack', 0x6000n, 0x1000],
    ])
    const source = delivery === 'idt' ? 'TSS.RSP0' : 'IA32_FRED_RSP0'
    const pointer = regions[1]!.pointers.find((one) => one.source === source)
    expect(pointer?.value).toBe(stack + (delivery === 'idt' ? 0x6ff0n : 0x7000n))
  })

  it('guests run: system calls, INT n, an NMI', () => {
    const xen = apart()
    const labels = enter(xen, 'guest', 'syscall\nint 0x80\nnop\nback: nop')
    runTo(xen, labels.get('back')! - 1n)
    pendNmi(xen.cpu)
    expect(printed(runTo(xen, labels.get('back')!))).toEqual([])
  })

  it('X9 breaks: the displacement reads page 7 instead of scf, finds 0, and VERW silently stays away', () => {
    const xen = apart()
    const scf = stack + BigInt(cpuStateOffset('scf'))
    expect(xen.machine.space(0n).read(scf, 1)[0]).toBe(8)
    const texts = lastInstructions(xen)
    expect(texts[0]).toBe('test byte [rsp+0x7c], 0x8')
    expect(texts.join(' ')).not.toContain('verw')
  })

  it('X9 breaks: whatever lies there decides, and is taken for a selector', () => {
    const xen = apart()
    const errorCode = stack + BigInt(cpuInfoLayout('apart', delivery).guestRegs + 120)
    xen.machine.space(0n).write(errorCode + 0x7cn, Uint8Array.of(0xff))
    xen.machine.space(0n).write(errorCode + 0x44n, Uint8Array.of(0x10, 0xe0))
    expect(HYPERVISOR_DS32).toBe(0xe010)
    expect(lastInstructions(xen)).toContain('verw [rsp+0x44]')
    expect(errorCode + 0x7cn - stack).toBe(0x703cn)
  })
})

describe('X12: the layout from before FRED', () => {
  it('has the data selectors where FRED pushes its own 16 bytes, and RSP0 below them', () => {
    const layout = cpuInfoLayout('vm86', 'idt')
    expect(layout.rsp0).toBe(0x8000 - 64 - 32)
    expect(layout.guestRegs).toBe(layout.rsp0 - USER_REGS_BYTES)
    const { boot, cpu } = xenMachine('panther-lake', { delivery: 'idt', options: { layout: 'vm86' } })
    const primary = boot.stackMap(cpu).regions.find(({ name }) => name === 'primary')
    expect(primary?.pointers[0]).toMatchObject({ source: 'TSS.RSP0', value: stack + 0x7fa0n })
  })

  it('X8: FRED cannot use it, and the error shows the arithmetic', () => {
    expect(() => xenMachine('panther-lake', { delivery: 'fred', options: { layout: 'vm86' } })).toThrow(
      'cpu_info does not fit: IA32_FRED_RSP0 = 0x8000 (stack) - 0x40 (per-CPU state) - 0x20 (ds, es, fs, gs) + 0x10 (event data) = 0x7fb0, and 0x7fb0 % 64 = 48',
    )
  })

  it('guests run on it under the IDT', () => {
    const xen = xenMachine('panther-lake', { delivery: 'idt', options: { layout: 'vm86' } })
    expect(lastInstructions(xen).slice(0, 3)).toContain('verw [rsp+0x54]')
  })

  it('an unknown layout is an error that lists the known ones', () => {
    expect(() => xenMachine('panther-lake', { options: { layout: 'vm68' } })).toThrow(
      expect.objectContaining({ hint: 'one of together, apart, vm86' }),
    )
  })
})
