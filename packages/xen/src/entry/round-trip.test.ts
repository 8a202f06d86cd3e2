import { pendInterrupt, pendNmi } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { enter, printed, runTo, type XenMachine, xenMachine } from '../../test/xen-machine.js'

const RCX = 1
const RSP = 4
const R11 = 11

/** Every way in which the CPUs, deliveries and features combine. */
const MACHINES = [
  ['skylake', { delivery: 'idt' }],
  ['sapphire-rapids', { delivery: 'idt' }],
  ['sapphire-rapids', { delivery: 'idt', options: { ibt: false, shadowStacks: false } }],
  ['zen4', { delivery: 'idt' }],
  ['panther-lake', { delivery: 'idt', options: { ist: false } }],
  ['panther-lake', { delivery: 'fred' }],
  ['panther-lake', { delivery: 'fred', options: { ibt: false, shadowStacks: false, smap: false, smep: false } }],
  ['diamond-rapids', { delivery: 'fred', options: { revision: 'upstream' } }],
  ['zen6', { delivery: 'fred' }],
] as const

/** The registers that a guest sees. */
const seen = ({ cpu }: XenMachine) => ({
  gpr: Array.from({ length: 16 }, (_, n) => cpu.gpr(n)),
  rip: cpu.rip,
  rflags: cpu.rflags,
  cs: cpu.segment(1).selector,
  ss: cpu.segment(2).selector,
  cpl: cpu.cpl,
})

const values = Array.from({ length: 16 }, (_, n) => 0x1111_0000n + BigInt(n))

describe.each(MACHINES)('A16: entry and exit on %s with %j', (cpuName, request) => {
  /** Runs one instruction of the guest, and Xen's answer, with recognisable registers. */
  function through(instruction: string): {
    before: ReturnType<typeof seen>
    after: ReturnType<typeof seen>
    bytes: bigint
  } {
    const xen = xenMachine(cpuName, request)
    const labels = enter(xen, 'guest', `${instruction}\nback: nop`)
    for (const [n, value] of values.entries()) if (n !== RSP) xen.cpu.setGpr(n, value)
    xen.cpu.rflags = 0x246n
    const before = seen(xen)
    const entries = runTo(xen, labels.get('back')!)
    expect(printed(entries)).toEqual([])
    return { before, after: seen(xen), bytes: labels.get('back')! - xen.label('guest') }
  }

  it('SYSCALL comes back behind itself, with RCX = RIP and R11 = RFLAGS and nothing else changed', () => {
    const { before, after } = through('syscall')
    const gpr = [...before.gpr]
    gpr[RCX] = after.rip
    gpr[R11] = 0x246n
    expect(after).toEqual({ ...before, gpr, rip: before.rip + 2n })
  })

  it.each(['int 0x80', 'int 0x21', 'int 0x82', 'int3', 'int 4'])(
    '%s comes back behind itself with everything as it was',
    (text) => {
      const { before, after, bytes } = through(text)
      expect(after).toEqual({ ...before, rip: before.rip + bytes })
    },
  )

  it('leaves the machine as it was: the second SYSCALL is the first one again', () => {
    const xen = xenMachine(cpuName, request)
    const labels = enter(xen, 'guest', 'again: syscall\njmp again')
    const again = labels.get('again')!
    runTo(xen, again)
    const snapshot = xen.machine.snapshot()
    runTo(xen, again)
    expect(xen.machine.equals(snapshot)).toBe(true)
  })
})

describe('guest exceptions', () => {
  it.each(['idt', 'fred'])('under %s: nobody handles them: a line that names it, and the CPU is idle', (delivery) => {
    for (const [source, name] of [
      ['ud2', 'vec 6, #UD'],
      ['mov rax, [0]', 'vec 14, #PF[0004]'],
      ['hlt', 'vec 13, #GP[0000]'],
      ['xor ecx, ecx\ndiv ecx', 'vec 0, #DE'],
    ] as const) {
      const xen = xenMachine('panther-lake', { delivery })
      enter(xen, 'guest', source)
      expect(printed(runTo(xen, null)).slice(0, 5)).toEqual([
        `d1v0 Unhandled: ${name}`,
        'd1v0 domain crash: no handler',
        'Domain 1 (vcpu#0) crashed on cpu#0:',
        '----[ Xen-4.21-unstable  x86_64  debug=n  Not tainted ]----',
        'CPU:    0',
      ])
      expect(xen.cpu.halted).toBe(true)
      expect(xen.cpu.cpl).toBe(0)
      expect(xen.cpu.rip - xen.label('idle_loop')).toBe(2n)
    }
  })

  it.each(['idt', 'fred'])('under %s: SYSENTER has no callback', (delivery) => {
    const xen = xenMachine('panther-lake', { delivery })
    enter(xen, 'guest', 'sysenter')
    expect(printed(runTo(xen, null))[0]).toBe('d1v0 domain crash: no SYSENTER callback')
  })

  it('an idle CPU takes interrupts and NMIs, and goes on idling', () => {
    for (const delivery of ['idt', 'fred']) {
      const xen = xenMachine('panther-lake', { delivery })
      enter(xen, 'guest', 'ud2')
      runTo(xen, null)
      const rsp = xen.cpu.rsp
      pendNmi(xen.cpu)
      pendInterrupt(xen.cpu, 0x30)
      runTo(xen, null)
      expect(xen.cpu.halted).toBe(true)
      expect(xen.cpu.rsp).toBe(rsp)
    }
  })
})

describe('several CPUs', () => {
  it.each(['idt', 'fred'])('under %s each goes through its own entry on its own stack', (delivery) => {
    const xen = xenMachine('panther-lake', { delivery }, 3)
    const labels = enter(xen, 'guest', 'syscall\nback: nop')
    for (const cpu of xen.machine.cpus) xen.boot.sites.guest!.enter(cpu)
    const left = new Set(xen.machine.cpus)
    for (let i = 0; i < 2000 && left.size > 0; i++) {
      const cpu = xen.machine.cpus[i % 3]!
      if (!left.has(cpu)) continue
      xen.machine.step(cpu.id)
      if (cpu.rip === labels.get('back')) left.delete(cpu)
    }
    expect(left.size).toBe(0)
  })
})
