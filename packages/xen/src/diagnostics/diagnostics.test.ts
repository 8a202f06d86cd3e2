import { BLOCKED_BY_STI, DS, deliverEvent, faultEvent, loadSegment, pendInterrupt, pf, STATUS } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { enter, printed, runTo, xenMachine } from '../../test/xen-machine.js'
import { raiseSoftirq, SCHEDULE_SOFTIRQ } from '../exit/softirq.js'
import { differencesOf } from '../guest-visible/differences.js'
import type { Call } from '../handlers/context.js'
import { symbolizer } from '../handlers/symbols.js'
import { userRegsAt } from '../handlers/user-regs.js'
import { CPU_INFO } from '../layout/cpu-info.js'
import { gdtBase, stackOf } from '../layout/memory.js'
import { vcpuOf } from '../registers/context-switch.js'
import { VCPU_RUNNABLE } from '../registers/vcpu.js'
import { showVcpuRegisters } from './show-registers.js'

const DATA = 0xe0a3

describe.each(['idt', 'fred'])('show_registers under %s', (delivery) => {
  it('X11: prints a live CPU: the frame, and CR2, bases and data selectors as the CPU has them', () => {
    const xen = xenMachine('panther-lake', { delivery })
    xen.machine.space(0n).write64(gdtBase(0) + BigInt(DATA & ~7), 0x00cf_f300_0000_ffffn)
    enter(xen, 'guest', 'mov r8, 0x88\nmov rax, [0x1230]\nnop')
    loadSegment(xen.cpu, DS, DATA)
    xen.cpu.fsBase = 0xf5n
    const lines = printed(runTo(xen, null))
    const at = lines.findIndex((line) => line.startsWith('----['))
    expect(lines.slice(at)).toEqual([
      '----[ Xen-4.21-unstable  x86_64  debug=n  Not tainted ]----',
      'CPU:    0',
      'RIP:    e033:[<0000000000400007>]',
      'RFLAGS: 0000000000010202   CONTEXT: pv guest (d1v0)',
      'rax: 0000000000000000   rbx: 0000000000000000   rcx: 0000000000000000',
      'rdx: 0000000000000000   rsi: 0000000000000000   rdi: 0000000000000000',
      'rbp: 0000000000000000   rsp: 000000007f004000   r8:  0000000000000088',
      'r9:  0000000000000000   r10: 0000000000000000   r11: 0000000000000000',
      'r12: 0000000000000000   r13: 0000000000000000   r14: 0000000000000000',
      expect.stringMatching(/^r15: 0{16} {3}cr0: 000000008005003[0-9a-f] {3}cr4: /),
      'cr3: 0000000000000000   cr2: 0000000000001230',
      'fsb: 00000000000000f5   gsb: 0000000000000000   gss: 0000000000000000',
      'ds: e0a3   es: 0000   fs: 0000   gs: 0000   ss: e02b   cs: e033',
    ])
  })

  it('names Xen’s own code by label, distance and size, and shows the bytes around it', () => {
    const xen = xenMachine('panther-lake', { delivery })
    enter(xen, 'guest', 'int 0x80\nnop')
    runTo(xen, xen.label('restore_all_guest'))
    xen.machine.space(0n).write(xen.cpu.rip, Uint8Array.of(0x0f, 0x0b))
    const lines = printed(runTo(xen, null))
    expect(lines[2]).toMatch(/^RIP: {4}e008:\[<ffff82d0402[0-9a-f]{5}>\] restore_all_guest\+0x0\/0x[0-9a-f]+$/)
    const code = lines.findIndex((line) => line.startsWith('Xen code around'))
    expect(lines[code]).toMatch(/^Xen code around <ffff82d0402[0-9a-f]{5}> \(restore_all_guest\+0x0\/0x[0-9a-f]+\):$/)
    expect(lines[code + 1]).toMatch(/^( [0-9a-f]{2}){8} <0f> 0b( [0-9a-f]{2}){14}$/)
    expect(lines.at(-2)).toMatch(/vec 6, #UD\[0000\]/)
  })

  it('X11: prints a scheduled-out vCPU from its saved frame and pv_vcpu, whatever the CPU holds now', () => {
    const xen = xenMachine('panther-lake', { delivery })
    xen.machine.space(0n).write64(gdtBase(0) + BigInt(DATA & ~7), 0x00cf_f300_0000_ffffn)
    enter(xen, 'guest', 'mov r8, 0x88\nready: nop\nnop')
    loadSegment(xen.cpu, DS, DATA)
    xen.cpu.gsBase = 0x1000n
    const vcpu = vcpuOf(xen.cpu, 'guest', CPU_INFO)
    vcpu.set('flags', vcpu.get('flags') & ~VCPU_RUNNABLE)
    raiseSoftirq(xen.cpu, SCHEDULE_SOFTIRQ)
    runTo(xen, xen.label('guest') + 7n)
    pendInterrupt(xen.cpu, 0x40)
    runTo(xen, xen.label('idle_loop'))
    loadSegment(xen.cpu, DS, 0)
    const lines: string[] = []
    const release = xen.machine.trace.on('log', ({ text }) => lines.push(text))
    const call: Call = {
      machine: xen.machine,
      cpu: xen.cpu,
      regs: userRegsAt(xen.cpu, 0n),
      build: {
        revision: 'upstream',
        layout: CPU_INFO,
        shows: differencesOf('upstream', 'idt'),
        pv32: false,
        label: xen.label,
        symbol: symbolizer(xen.boot.labels),
      },
    }
    showVcpuRegisters(call)
    release()
    expect(lines.slice(0, 5)).toEqual([
      '*** Dumping Dom1 vcpu#0 state: ***',
      '----[ Xen-4.23-unstable  x86_64  debug=n  Not tainted ]----',
      'CPU:    0',
      'RIP:    e033:[<0000000000400007>]',
      'RFLAGS: 0000000000000202   CONTEXT: pv guest (d1v0)',
    ])
    expect(lines).toContain('rbp: 0000000000000000   rsp: 000000007f004000   r8:  0000000000000088')
    expect(lines).toContain('fsb: 0000000000000000   gsb: 0000000000001000   gss: 0000000000000000')
    expect(lines.at(-1)).toBe('ds: e0a3   es: 0000   fs: 0000   gs: 0000   ss: e02b   cs: e033')
  })
})

describe.each(['idt', 'fred'])('#DF under %s', (delivery) => {
  const from = (rsp: bigint) => {
    const xen = xenMachine('panther-lake', { delivery, options: { ist: false } })
    enter(xen, 'host', 'nop')
    xen.cpu.rsp = rsp
    deliverEvent(xen.cpu, faultEvent(pf(2, 0x1000, 0), false))
    return { xen, lines: printed(runTo(xen, null)) }
  }
  const stack = stackOf(0).linear
  const hex = (value: bigint) => value.toString(16).padStart(16, '0')

  it('an overflow into the guard page is told, with the addresses of Xen’s code that lie on the stack', () => {
    const xen = xenMachine('panther-lake', { delivery, options: { ist: false } })
    const site = enter(xen, 'host', 'deeper: call deeper\nend: nop')
    expect(site.get('end')).toBeDefined()
    xen.machine.space(0n).write64(stack + 0x6010n, xen.label('idle_loop') + 5n)
    xen.cpu.rsp = stack + 0x6010n
    const lines = printed(runTo(xen, null))
    expect(lines).toContain('*** DOUBLE FAULT ***')
    const range = lines.findIndex((line) => line.startsWith('Valid stack range'))
    expect(lines[range]).toBe(
      `Valid stack range: ${hex(stack + 0x6000n)}-${hex(stack + 0x8000n)}, sp=${hex(stack + 0x6000n)}, tss.rsp0=${hex(stack + 0x7fb0n)}`,
    )
    expect(lines[range + 1]).toBe(`Xen stack overflow (dumping trace ${hex(stack + 0x6000n)}-${hex(stack + 0x8000n)}):`)
    expect(lines).toContainEqual(
      expect.stringMatching(/^ {3}\[<ffff82d0402[0-9a-f]{5}>\] S idle_loop\+0x5\/0x[0-9a-f]+$/),
    )
    expect(lines.at(-2)).toBe('DOUBLE FAULT -- system shutdown')
  })

  it('far from the end there was none', () => {
    const { lines } = from(stack + 0x800n)
    expect(lines).toContain('No stack overflow detected. Skipping stack trace.')
  })

  it('a stack pointer that is no Xen stack’s is told first', () => {
    const { lines } = from(0x1_0000_0000n)
    expect(lines).toContain(`Current stack base ${hex(0x1_0000_0000n)} differs from expected ${hex(stack)}`)
  })

  it('the report is in the order of Xen’s', () => {
    const { xen, lines } = from(stack + 0x5800n)
    const order = ['*** DOUBLE FAULT ***', '----[', 'CPU:', 'RIP:', 'RFLAGS:', 'rax:', 'cr3:', 'ds:', 'Xen code', ' ']
    const found = lines.slice(0, 16).map((line) => order.find((start) => line.startsWith(start)))
    expect(found.filter((start) => start !== undefined)).toEqual(order)
    expect(xen.cpu.halted).toBe(true)
    expect(xen.cpu.words[STATUS]! & BLOCKED_BY_STI).toBe(0)
  })
})
