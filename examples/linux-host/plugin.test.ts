import {
  BLOCKED_BY_NMI,
  type Boot,
  type BootRequest,
  checkedStep,
  createMachine,
  deliverEvent,
  type EventType,
  instructionEvent,
  type Machine,
  type MachineError,
  pendMachineCheck,
  pendNmi,
  readMsr,
  run,
  SS,
  STATUS,
  writeMsr,
} from '@trapframe/core'
import { checkInvariants, explore } from '@trapframe/explore'
import { fred, IA32_FRED_CONFIG, IA32_FRED_RSP0, IA32_FRED_STKLVLS, readFrame } from '@trapframe/fred'
import { IA32_LSTAR, idt, readGate } from '@trapframe/idt'
import { assemble, isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { linux } from './plugin.mjs'

type Delivery = 'idt' | 'fred'
const DELIVERIES: readonly Delivery[] = ['idt', 'fred']
const DONE = 'done: jmp done'

interface Booted {
  readonly machine: Machine
  readonly boot: Boot
  readonly log: string[]
  label(name: string): bigint
}

function booted(request: BootRequest = {}, cpu = 'panther-lake', cpus = 1): Booted {
  const machine = createMachine({ cpu, cpus, plugins: [isa(), idt(), fred(), explore(), linux] })
  const log: string[] = []
  machine.observe({ log: (_cpu, text) => void log.push(text) })
  const boot = machine.boot('linux', request)
  const label = (name: string): bigint => {
    const address = boot.labels.get(name)
    if (address === undefined) throw new Error(`no label ${name}`)
    return address
  }
  return { machine, boot, log, label }
}

/** The same, at the start of a program; returns its labels as well. */
function running(site: 'guest' | 'host', source: string, request: BootRequest): Booted {
  const all = booted(request)
  const { origin, enter } = all.boot.sites[site]!
  const program = assemble(source, { origin, symbols: Object.fromEntries(all.boot.labels) })
  all.machine.space(0n).write(origin, program.bytes)
  enter(all.machine.cpu)
  return { ...all, label: (name) => program.labels.get(name) ?? all.label(name) }
}

/** Steps CPU 0 until it stands at an address. Returns how many steps that took. */
function runTo({ machine }: Booted, address: bigint): number {
  for (let steps = 0; steps < 2000; steps++) {
    if (machine.cpu.rip === address) return steps
    machine.step()
  }
  throw new Error(`0x${address.toString(16)} was not reached`)
}

const quad = ({ machine, label }: Booted, name: string): bigint => machine.cpu.space.read64(label(name))

describe('which delivery', () => {
  test.each([
    [{}, 'panther-lake', 'fred', 'the CPU has FRED and LKGS'],
    [{}, 'sapphire-rapids', 'idt', 'CPU "sapphire-rapids" has no fred and no lkgs'],
    [{}, 'panther-lake,-lkgs', 'idt', 'CPU "panther-lake,-lkgs" has no lkgs'],
    [{ delivery: 'idt' }, 'zen6', 'idt', 'the command line says fred=off'],
    [{ cmdline: 'quiet fred=off' }, 'panther-lake', 'idt', 'the command line says fred=off'],
    [{ cmdline: 'fred=off fred=on' }, 'panther-lake', 'fred', 'the command line says fred=on'],
    [{ cmdline: 'clearcpuid=401' }, 'panther-lake', 'idt', 'the command line says clearcpuid=401, which is FRED'],
    [{ cmdline: 'clearcpuid=smap,fred fred=on' }, 'panther-lake', 'idt', 'clearcpuid=smap,fred, which is FRED'],
  ] as const)('%o on %s: %s, because %s', (request, cpu, delivery, why) => {
    const { machine, boot } = booted(request, cpu)
    expect(boot.delivery).toBe(delivery)
    expect(machine.cpu.mechanism?.name).toBe(delivery)
    expect(boot.reasons.join('; ')).toContain(why)
  })

  test('F2: with clearcpuid=401 on the command line `int $0xec` at CPL 0 works again', () => {
    const all = running('host', `int 0xec\n${DONE}`, { cmdline: 'clearcpuid=401' })
    runTo(all, all.label('done'))
    expect(quad(all, 'last_interrupt')).toBe(0xecn)
  })

  test('what cannot be is an error that says so', () => {
    const refused = (request: BootRequest, cpu = 'panther-lake'): string => {
      try {
        booted(request, cpu)
        return 'accepted'
      } catch (error) {
        const { message, hint } = error as MachineError
        return `${message}; ${hint}`
      }
    }
    expect(refused({ delivery: 'fred' }, 'zen4')).toBe(
      'delivery "fred" was asked for, and Linux decides for idt: CPU "zen4" has no fred and no lkgs; ' +
        'take a CPU with FRED and LKGS: panther-lake, diamond-rapids or zen6',
    )
    expect(refused({ delivery: 'idt', cmdline: 'fred=on' })).toContain('are both given')
    expect(refused({ delivery: 'vmx' })).toContain('cannot deliver through "vmx"')
    expect(refused({ options: { ist: true } })).toBe(
      'host "linux" has no option "ist"; it has vc, pageFaultAddress, errorCode',
    )
    expect(refused({ options: { vc: 'no' } })).toBe('option "vc" of host "linux" is "no"; one of true, false')
  })
})

describe('the set-up', () => {
  test('A5: FRED: #DB on SL1, NMI and #MC on SL2, #DF on SL3, interrupts on SL0, a red zone of 64 bytes', () => {
    const { machine, label } = booted({ delivery: 'fred' })
    const { cpu } = machine
    expect(readMsr(cpu, IA32_FRED_CONFIG)).toBe(label('entry_ring3') | 0x40n)
    expect(label('entry_ring0')).toBe(label('entry_ring3') + 256n)
    expect(readMsr(cpu, IA32_FRED_STKLVLS)).toBe((1n << 2n) | (2n << 4n) | (3n << 16n) | (2n << 36n))
    const rsp = [0, 1, 2, 3].map((level) => readMsr(cpu, IA32_FRED_RSP0 + level))
    expect(rsp).toEqual(['task_stack', 'db_stack', 'nmi_stack', 'df_stack'].map(label))
  })

  test('F7: in ring 0 SS is __KERNEL_DS, whatever came before', () => {
    const { machine, boot } = booted({ delivery: 'fred' })
    boot.sites.host!.enter(machine.cpu)
    expect(machine.cpu.segment(SS).selector).toBe(0x18)
  })

  test('the red zone: an event on the same stack leaves 64 bytes below RSP alone', () => {
    const all = running('host', 'mov rax, -1\nmov [rsp - 8], rax\nmov [rsp - 64], rax\nint3', { delivery: 'fred' })
    const { cpu } = all.machine
    const { rsp } = cpu
    run(cpu, 4)
    expect(cpu.rip).toBe(all.label('entry_ring0'))
    expect(cpu.rsp).toBe(((rsp - 64n) & ~63n) - 64n)
    expect([cpu.space.read64(rsp - 8n), cpu.space.read64(rsp - 64n)]).toEqual([2n ** 64n - 1n, 2n ** 64n - 1n])
  })

  test('IDT: stacks of their own for #DF, NMI, #DB and #MC; INT n of ring 3 for 3, 4 and 80h', () => {
    const { machine, label } = booted({ delivery: 'idt' })
    const gates = Array.from({ length: 256 }, (_, vector) => readGate(machine.cpu, vector)!)
    const withIst = gates.flatMap((gate, vector) => (gate.ist === 0 ? [] : [[vector, gate.ist]]))
    expect(withIst).toEqual([
      [1, 3],
      [2, 2],
      [8, 1],
      [18, 4],
    ])
    expect(gates.flatMap((gate, vector) => (gate.dpl === 3 ? [vector] : []))).toEqual([3, 4, 0x80])
    expect(gates[2]!.offset).toBe(label('idt_entry_nmi'))
    expect(gates[0xec]!.offset).toBe(label('idt_entry_0xec'))
    expect(readMsr(machine.cpu, IA32_LSTAR)).toBe(label('syscall_entry'))
  })

  test('each CPU has stacks and a per-CPU area of its own', () => {
    const { machine, boot } = booted({ delivery: 'fred' }, 'panther-lake', 3)
    const starts = machine.cpus.flatMap((cpu) => boot.stackMap(cpu).regions.map(({ address }) => address))
    expect(new Set(starts).size).toBe(starts.length)
    expect(new Set(machine.cpus.map((cpu) => cpu.kernelGsBase)).size).toBe(3)
  })

  test('the stack map is read back: another MSR, another map', () => {
    const { machine, boot, label } = booted({ delivery: 'fred' })
    const pointersOf = (name: string) =>
      boot
        .stackMap(machine.cpu)
        .regions.find((region) => region.name === name)!
        .pointers.map(({ use }) => use)
    expect([pointersOf('NMI'), pointersOf('#MC'), pointersOf('task')]).toEqual([['SL2'], [], ['SL0']])
    writeMsr(machine.cpu, IA32_FRED_RSP0 + 2, label('mc_stack'))
    expect([pointersOf('NMI'), pointersOf('#MC')]).toEqual([[], ['SL2']])
    writeMsr(machine.cpu, IA32_FRED_RSP0, 0n)
    expect(boot.stackMap(machine.cpu).elsewhere).toEqual([{ source: 'IA32_FRED_RSP0', use: 'SL0', value: 0n }])
  })
})

describe.each(DELIVERIES)('there and back under %s', (delivery) => {
  const CALLS = `mov eax, 39\nsyscall\nmov ebx, eax\nmov eax, 20\nint 0x80\n${DONE}`

  test('A16: SYSCALL and INT 80h serve the program, and every register but those of the ABI is as it was', () => {
    const all = running('guest', CALLS, { delivery })
    const { cpu } = all.machine
    for (let n = 5; n < 16; n++) if (n !== 11) cpu.setGpr(n, BigInt(n) << 60n)
    const { rsp } = cpu
    runTo(all, all.label('done'))
    expect([cpu.gpr(0), cpu.gpr(3), cpu.rsp, cpu.cpl, cpu.gsBase]).toEqual([1n, 1n, rsp, 3, 0n])
    for (let n = 5; n < 16; n++) if (n !== 11) expect(cpu.gpr(n)).toBe(BigInt.asUintN(64, BigInt(n) << 60n))
    expect(quad(all, 'system_calls')).toBe(2n)
  })

  test('every step is repeatable: no function keeps anything in a variable of its own', () => {
    const all = running('guest', `mov eax, 39\nsyscall\nmov ebx, [0]\n${DONE}`, { delivery })
    for (let n = 0; n < 150; n++) checkedStep(all.machine, all.machine.cpu)
    expect(all.log.join()).toContain('segfault at 0 ')
  })

  test.each([
    ['NMI', pendNmi, 'nmi_count'],
    ['#MC', pendMachineCheck, 'machine_check_count'],
  ] as const)(
    'X7, A1: %s at any instruction of both calls finds a good stack and goes unnoticed',
    (_, pend, counter) => {
      const undisturbed = running('guest', CALLS, { delivery })
      const steps = runTo(undisturbed, undisturbed.label('done'))
      const { machine: expected } = undisturbed
      expect(steps).toBeGreaterThan(80)
      const all = running('guest', CALLS, { delivery })
      const { machine, boot } = all
      const { cpu } = machine
      const start = machine.snapshot()
      for (let at = 0; at < steps; at++) {
        machine.restore(start)
        run(cpu, at)
        pend(cpu)
        while (cpu.rip !== all.label('done')) {
          machine.step()
          const found = checkInvariants(machine, boot).map(({ message }) => `${message}, ${at} steps in`)
          expect(found).toEqual([])
        }
        expect(quad(all, counter)).toBe(1n)
        for (let n = 0; n < 16; n++) expect([at, n, cpu.gpr(n)]).toEqual([at, n, expected.cpu.gpr(n)])
        expect([cpu.gsBase, cpu.kernelGsBase]).toEqual([expected.cpu.gsBase, expected.cpu.kernelGsBase])
        expect(cpu.words[STATUS]! & BLOCKED_BY_NMI).toBe(0)
      }
    },
  )
})

describe('F9: every type with every vector, against the dispatch under FRED', () => {
  /** The vectors of a type that end in "invalid or fatal FRED event", as ranges. */
  function unserved(site: 'guest' | 'host', type: EventType): string {
    const { machine, boot, log } = booted({ delivery: 'fred' })
    const { cpu } = machine
    boot.sites[site]!.enter(cpu)
    const start = machine.snapshot()
    const vectors: number[] = []
    for (let vector = 0; vector < 256; vector++) {
      machine.restore(start)
      log.length = 0
      deliverEvent(cpu, instructionEvent(type, vector, 0))
      run(cpu, 200)
      if (log.some((line) => line.includes('invalid or fatal FRED event'))) vectors.push(vector)
    }
    return ranges(vectors)
  }

  const ranges = (numbers: readonly number[]): string => {
    const parts: [from: number, to: number][] = []
    for (const n of numbers) {
      const last = parts.at(-1)
      if (last?.[1] === n - 1) last[1] = n
      else parts.push([n, n])
    }
    return parts.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(' ') || 'none'
  }

  const EXCEPTIONS = '2-4 9 15 20 22-28 30-255'

  test.each([
    ['external interrupt', 0, 'none'],
    ['NMI', 2, '0-1 3-255'],
    ['hardware exception', 3, EXCEPTIONS],
    ['INT n', 4, 'none'],
    ['INT1', 5, '0 2-255'],
    ['INT3, INTO', 6, '0-2 5-255'],
    ['SYSCALL, SYSENTER', 7, 'none'],
  ] as const)('from ring 3, %s (type %i): %s are fatal', (_, type, fatal) => {
    expect(unserved('guest', type)).toBe(fatal)
  })

  test.each([
    ['external interrupt', 0, 'none'],
    ['NMI', 2, '0-1 3-255'],
    ['hardware exception', 3, EXCEPTIONS],
    ['INT n', 4, '0-255'],
    ['INT1', 5, '0 2-255'],
    ['INT3, INTO', 6, '0-2 5-255'],
    ['SYSCALL, SYSENTER', 7, '0-255'],
  ] as const)('from ring 0, %s (type %i): %s are fatal', (_, type, fatal) => {
    expect(unserved('host', type)).toBe(fatal)
  })
})

describe('F11: a fault at the return to ring 3', () => {
  test.each(DELIVERIES)('under %s the program gets it, with the registers that it returned with', (delivery) => {
    const source = 'mov eax, 39\nmov r12, 0x1234\nsyscall\nint3'
    const all = running('guest', source, { delivery })
    const { cpu } = all.machine
    runTo(all, all.label(delivery === 'fred' ? 'fred_return_to_user' : 'idt_syscall'))
    if (delivery === 'idt') runTo(all, all.label('idt_syscall.finish'))
    cpu.space.write64(cpu.rsp + 16n * 8n, 0x8000_0000_0000n)
    runTo(all, all.label('idle_wakes'))
    expect(all.log).toEqual([expect.stringMatching(/^traps: guest\[1\] general protection fault ip:800000000000 /)])
    expect([cpu.cpl, cpu.gsBase]).toEqual([0, all.label('per_cpu')])
  })

  test('under FRED an NMI whose ERETU faults still unblocks NMIs, by the ERETS of the repair', () => {
    const all = running('guest', 'nop\nnop', { delivery: 'fred' })
    const { cpu } = all.machine
    pendNmi(cpu)
    runTo(all, all.label('eretu_user'))
    expect(readFrame(cpu)).toMatchObject({ type: 2, nmi: true })
    cpu.space.write64(cpu.rsp + 8n, 0x8000_0000_0000n)
    run(cpu, 1)
    expect(readFrame(cpu)).toMatchObject({ type: 3, vector: 13, rip: all.label('eretu_user') })
    expect(cpu.words[STATUS]! & BLOCKED_BY_NMI).not.toBe(0)
    runTo(all, all.label('entry_ring3'))
    expect(cpu.words[STATUS]! & BLOCKED_BY_NMI).toBe(0)
    expect(readFrame(cpu)).toMatchObject({ type: 3, vector: 13, nmi: false, rip: 0x8000_0000_0000n, cs: 0x33 })
    runTo(all, all.label('idle_wakes'))
    expect(all.log).toHaveLength(1)
  })
})

describe('MONITORX', () => {
  test('is #UD on a CPU without sev-es, which the plugin brings', () => {
    const all = running('guest', 'monitorx', { delivery: 'fred' })
    runTo(all, all.label('idle_wakes'))
    expect(all.log.join()).toContain('invalid opcode')
  })
})
