import { GS_BASE, KERNEL_GS_BASE, pendInterrupt } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { delivered, enter, printed, runTo, xenMachine } from '../../test/xen-machine.js'
import { raiseSoftirq, SCHEDULE_SOFTIRQ } from '../exit/softirq.js'
import { cpuInfoLayout, type LayoutName } from '../layout/cpu-info.js'
import { gdtBase } from '../layout/memory.js'
import { dataSelectorOffset } from '../layout/user-regs.js'
import { currentOf, vcpuOf } from './context-switch.js'
import { liveSelectors } from './live-selectors.js'
import { TF_KERNEL_MODE, VCPU_RUNNABLE } from './vcpu.js'

/** Two data segments of ring 3 in Xen's page of the GDT. */
const ONE = 0xe0a3
const OTHER = 0xe0ab
const DATA = 0x00cf_f300_0000_ffffn

const cases: readonly (readonly [string, LayoutName])[] = [
  ['idt', 'together'],
  ['idt', 'apart'],
  ['idt', 'vm86'],
  ['fred', 'together'],
  ['fred', 'apart'],
]

describe.each(cases)('X11: a context switch under %s, layout %s', (delivery, name) => {
  const layout = cpuInfoLayout(name, delivery as 'idt' | 'fred')

  function running() {
    const xen = xenMachine('panther-lake', { delivery, options: { layout: name } })
    for (const selector of [ONE, OTHER]) xen.machine.space(0n).write64(gdtBase(0) + BigInt(selector & ~7), DATA)
    const program = [
      `mov eax, ${ONE}\nmov ds, eax\nmov es, eax\nmov eax, ${OTHER}\nmov fs, eax\nmov gs, eax`,
      'mov rbx, 0x1234567812345678\nready: nop\nback: nop',
    ]
    const labels = enter(xen, 'guest', program.join('\n'))
    xen.cpu.gsBase = 0x1000n
    xen.cpu.kernelGsBase = 0x2000n
    runTo(xen, labels.get('ready')!)
    xen.cpu.gsBase = 0x1111_0000n
    return { xen, labels, vcpu: vcpuOf(xen.cpu, 'guest', layout) }
  }

  /** Takes the guest's vCPU off the CPU, as the scheduler does with one that may not run. */
  function scheduledOut() {
    const all = running()
    const { xen, vcpu } = all
    vcpu.set('flags', vcpu.get('flags') & ~VCPU_RUNNABLE)
    raiseSoftirq(xen.cpu, SCHEDULE_SOFTIRQ)
    pendInterrupt(xen.cpu, 0x40)
    const entries = runTo(xen, xen.label('idle_loop'))
    expect(printed(entries)).toEqual([])
    expect(currentOf(xen.cpu)).toBe('idle')
    return all
  }

  it('save_segments puts the selectors into pv_vcpu; before, they lay in the saved cpu_user_regs', () => {
    const { xen, vcpu } = scheduledOut()
    const selectors = (['ds', 'es', 'fs', 'gs'] as const).map((n) => vcpu.selector(n))
    expect(selectors).toEqual([ONE, ONE, OTHER, OTHER])
    const inFrame = (n: 'ds' | 'gs') =>
      Number(xen.machine.space(0n).read64(vcpu.userRegs.address + BigInt(dataSelectorOffset(n))) & 0xffffn)
    expect([inFrame('ds'), inFrame('gs')]).toEqual(name === 'vm86' ? [ONE, OTHER] : [0, 0])
    expect([vcpu.get('ds'), vcpu.get('gs')]).toEqual(name === 'vm86' ? [0n, 0n] : [BigInt(ONE), BigInt(OTHER)])
  })

  it('the frame goes to the struct vcpu, without anything above SS', () => {
    const { labels, vcpu } = scheduledOut()
    expect(vcpu.userRegs.get('rip')).toBe(labels.get('ready')!)
    expect(vcpu.userRegs.get('rbx')).toBe(0x1234_5678_1234_5678n)
  })

  it('P2: of the GS bases the active one is read back, the kernel’s while TF_kernel_mode is set', () => {
    const { vcpu } = scheduledOut()
    expect(vcpu.get('flags') & TF_KERNEL_MODE).toBe(TF_KERNEL_MODE)
    expect(vcpu.get('gs_base_kernel')).toBe(0x1111_0000n)
  })

  it('the guest comes back where it was, with its segments', () => {
    const { xen, labels, vcpu } = scheduledOut()
    for (let i = 0; i < 100 && !xen.cpu.halted; i++) xen.machine.step()
    xen.cpu.setSegment(3, { selector: 0, base: 0n, limit: 0, access: 1 << 16 })
    vcpu.set('flags', vcpu.get('flags') | VCPU_RUNNABLE)
    raiseSoftirq(xen.cpu, SCHEDULE_SOFTIRQ)
    pendInterrupt(xen.cpu, 0xfc)
    const entries = runTo(xen, labels.get('ready')!)
    expect(delivered(entries)).toEqual(['interrupt 0xfc'])
    expect(xen.cpu.cpl).toBe(3)
    expect(xen.cpu.gpr(3)).toBe(0x1234_5678_1234_5678n)
    expect(liveSelectors(xen.cpu)).toEqual({ ds: ONE, es: ONE, fs: OTHER, gs: OTHER })
    expect(xen.cpu.get64(GS_BASE)).toBe(0x1111_0000n)
    expect(xen.cpu.get64(KERNEL_GS_BASE)).toBe(vcpu.get('gs_base_user'))
  })

  it('load_segments loads a selector that is bad by now as null', () => {
    const { xen, labels, vcpu } = scheduledOut()
    for (let i = 0; i < 100 && !xen.cpu.halted; i++) xen.machine.step()
    xen.machine.space(0n).write64(gdtBase(0) + BigInt(OTHER & ~7), 0n)
    vcpu.set('flags', vcpu.get('flags') | VCPU_RUNNABLE)
    raiseSoftirq(xen.cpu, SCHEDULE_SOFTIRQ)
    pendInterrupt(xen.cpu, 0xfc)
    runTo(xen, labels.get('ready')!)
    expect(liveSelectors(xen.cpu)).toEqual({ ds: ONE, es: ONE, fs: 0, gs: 0 })
  })
})
