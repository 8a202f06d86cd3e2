import { type Cpu, checkedStep, GDTR, pendNmi, TR, writeMsr } from '@trapframe/core'
import { IA32_FRED_RSP3 } from '@trapframe/fred'
import { assemble } from '@trapframe/isa'
import { describe, expect, it } from 'vitest'
import { delivered, enter, printed, runTo, type XenMachine, xenMachine } from '../../test/xen-machine.js'
import { parseCommandLine } from './command-line.js'
import { decideBoot, REVISIONS, type Revision } from './decision.js'
import { readCommandLine } from './init-data.js'
import type { Programmed } from './record.js'

describe('boot', () => {
  it.each([
    ['skylake', {}, 'idt'],
    ['sapphire-rapids', {}, 'idt'],
    ['panther-lake', {}, 'fred'],
    ['panther-lake', { delivery: 'idt' }, 'idt'],
    ['diamond-rapids', { cmdline: 'no-fred' }, 'idt'],
    ['diamond-rapids', { options: { revision: 'upstream' } }, 'idt'],
    ['zen4', {}, 'idt'],
    ['zen6', { options: { revision: 'upstream' } }, 'fred'],
  ] as const)('X2: on %s with %j Xen delivers through %s', (cpu, request, delivery) => {
    const { boot, machine } = xenMachine(cpu, request)
    expect(boot.delivery).toBe(delivery)
    for (const { mechanism } of machine.cpus) expect(mechanism?.name).toBe(delivery)
    expect(boot.log).toContain(`Using ${delivery.toUpperCase()} event delivery`)
  })

  it('X2: a delivery that the boot does not decide for is an error with the boot’s reasons', () => {
    expect(() => xenMachine('skylake', { delivery: 'fred' })).toThrow(
      'delivery "fred" was asked for, and Xen decides for idt: the command line says fred=1; CPUID lacks FRED and LKGS',
    )
    expect(() => xenMachine('skylake', { delivery: 'fred' })).toThrow(
      expect.objectContaining({
        hint: 'its log says: FRED not available, ignoring / Using IDT event delivery',
      }),
    )
    expect(() => xenMachine('panther-lake,-lkgs', { delivery: 'fred' })).toThrow('CPUID lacks LKGS')
  })

  it('delivery and cmdline together are an error that quotes both', () => {
    expect(() => xenMachine('panther-lake', { delivery: 'fred', cmdline: 'no-fred' })).toThrow(
      'delivery "fred" and cmdline "no-fred" are both given',
    )
  })

  it('an unknown delivery, option or value is an error that lists the known ones', () => {
    expect(() => xenMachine('panther-lake', { delivery: 'vm-exit' })).toThrow('cannot deliver through "vm-exit"')
    expect(() => xenMachine('panther-lake', { options: { smepp: true } })).toThrow('host "xen" has no option "smepp"')
    expect(() => xenMachine('panther-lake', { options: { smap: 'yes' } })).toThrow(
      'option "smap" of host "xen" is "yes"',
    )
    expect(() => xenMachine('panther-lake', { options: { revision: 'rcf' } })).toThrow('"rcf"')
  })

  it('shadowStacks: true on a CPU without them is an error; left out, they are on where the CPU has them', () => {
    expect(() => xenMachine('skylake', { options: { shadowStacks: true } })).toThrow(
      'option "shadowStacks" is true, and CPU "skylake" has no cet-ss',
    )
    expect(xenMachine('skylake').cpu.supervisorShadowStack).toBe(false)
    expect(xenMachine('zen4').cpu.supervisorShadowStack).toBe(true)
    expect(xenMachine('zen4', { options: { shadowStacks: false } }).cpu.supervisorShadowStack).toBe(false)
    expect(xenMachine('zen4', { cmdline: 'cet=0' }).cpu.supervisorShadowStack).toBe(false)
  })

  it('options come after the command line, and win', () => {
    const { cpu } = xenMachine('skylake', { cmdline: 'smap=0 smep=0', options: { smap: true } })
    expect(cpu.controls).toMatchObject({ smap: true, smep: false })
  })

  it('leaves every CPU in the idle loop, ready for whatever comes', () => {
    for (const delivery of ['idt', 'fred']) {
      const { machine, label } = xenMachine('panther-lake', { delivery }, 2)
      for (const cpu of machine.cpus) {
        expect(cpu.rip).toBe(label('idle_loop'))
        while (machine.step(cpu.id) !== 'idle');
        pendNmi(cpu)
        while (machine.step(cpu.id) !== 'idle');
        expect(cpu.halted).toBe(true)
      }
    }
  })

  it('labels name the same things under both deliveries where there is the same thing', () => {
    for (const delivery of ['idt', 'fred']) {
      const { label } = xenMachine('panther-lake', { delivery })
      for (const name of [
        'syscall_entry',
        'restore_all_guest',
        'restore_all_xen',
        'idle_loop',
        'panic_stop',
        'guest',
        'host',
      ]) {
        expect(label(name)).toBeTypeOf('bigint')
      }
    }
    const idt = xenMachine('panther-lake', { delivery: 'idt' })
    expect(idt.label('syscall_entry')).toBe(idt.label('lstar_trampoline'))
    const fred = xenMachine('panther-lake', { delivery: 'fred' })
    expect(fred.label('syscall_entry')).toBe(fred.label('entry_FRED_R3'))
    expect(fred.label('entry_FRED_R0')).toBe(fred.label('entry_FRED_R3') + 256n)
  })

  it('X2, X3: the machine decides as the function does, and prints the same lines, for every CPU and command line', {
    timeout: 30_000,
  }, () => {
    for (const [cpu, revision, cmdline] of combinations()) {
      const { boot, machine } = xenMachine(cpu, { cmdline, options: { revision } })
      const decision = decideBoot({
        revision,
        commandLine: parseCommandLine(cmdline),
        vendor: machine.model.vendor,
        has: (feature) => machine.cpu.has(feature),
      })
      const { delivery, reasons, log } = boot
      const pv32 = boot.facts!(machine.cpu).pv32
      expect({ delivery, reasons, log, pv32 }, `${cpu} ${revision} ${cmdline}`).toEqual({
        delivery: decision.delivery,
        reasons: decision.reasons,
        log: decision.log,
        pv32: decision.pv32,
      })
    }
  })

  it('the command line lies in memory; what is behind " -- " is dom0’s', () => {
    const { boot, machine } = xenMachine('panther-lake', { cmdline: 'fred=0 -- fred=1', options: { smap: false } })
    expect(readCommandLine(machine.space(0n))).toBe('fred=0 smap=0 -- fred=1')
    expect(boot.delivery).toBe('idt')
    expect(machine.cpu.controls.smap).toBe(false)
  })

  it('a command line that does not fit is an error', () => {
    expect(() => xenMachine('panther-lake', { cmdline: 'x'.repeat(4096) })).toThrow('the command line has 4096 bytes')
  })

  it('can be run again from its first instruction, and comes to the same end', () => {
    for (const cpus of [1, 3]) {
      const xen = xenMachine('panther-lake', { delivery: 'fred' }, cpus)
      const booted = xen.machine.snapshot()
      enter(xen, 'guest', 'ud2')
      runTo(xen, null)
      xen.machine.space(0n).write(xen.label('guest'), new Uint8Array(2))
      for (const cpu of xen.machine.cpus) xen.boot.sites.boot!.enter(cpu)
      expect(xen.cpu.rip).toBe(xen.label('boot_start'))
      expect(xen.cpu.mechanism?.name).toBe('idt')
      bootAll(xen)
      expect(xen.machine.equals(booted)).toBe(true)
    }
  })

  it('one that does not come to its end is an error with its last words', () => {
    const { machine } = xenMachine('panther-lake')
    machine.observe({
      dispatched: (cpu, routine) => {
        if (routine === 'report_delivery') cpu.rsp = 0n
      },
    })
    const boot = () => machine.boot('xen', { delivery: 'idt' })
    expect(boot).toThrow('Xen does not boot on CPU "panther-lake": CPU 0 stops')
    expect(boot).toThrow(expect.objectContaining({ hint: expect.stringContaining('DOUBLE FAULT') }))
  })

  it('every step of it is repeatable: nothing is kept outside of the machine', () => {
    for (const delivery of ['idt', 'fred']) {
      const xen = xenMachine('panther-lake', { delivery }, 2)
      const booted = xen.machine.hash()
      xen.boot.sites.boot!.enter(xen.cpu)
      bootAll(xen, (cpu) => checkedStep(xen.machine, cpu))
      expect(xen.machine.hash()).toBe(booted)
    }
  })
})

describe('X1: the other CPUs', () => {
  it('each sets its own delivery up: GDT, FRED MSRs, CR4.FRED, null IDT, minimal TSS', () => {
    const { boot, machine } = xenMachine('panther-lake', { delivery: 'fred' }, 2)
    const programmed = boot.facts!(machine.cpus[1]!).programmed as readonly Programmed[]
    const order = [...new Set(programmed.map(({ what }) => what.replace(/^IA32_FRED_.*/, 'FRED MSRs')))]
    expect(order).toEqual([
      'GDTR',
      'IA32_STAR',
      'IA32_FMASK',
      'FRED MSRs',
      'IA32_PL0_SSP',
      'CR4',
      'IDTR',
      'TSS: RSP0, no I/O bitmap',
      'TR',
      'LDTR',
      'IA32_S_CET',
      'CR0',
      'XCR0',
      'SSP',
    ])
    expect(programmed.find(({ what }) => what === 'IDTR')).toMatchObject({ value: 0n, limit: 0n })
    expect(programmed.find(({ what }) => what === 'GDTR')?.value).toBe(machine.cpus[1]!.get64(GDTR))
  })

  it.each([
    ['fred', 'boot_fred_null_idt'],
    ['idt', 'boot_idt_ltr'],
  ] as const)(
    '%s: an NMI before the delivery is set up is the end of that CPU, one after it is handled',
    (delivery, first) => {
      for (const [stage, survives] of [
        ['ap_start', false],
        ['init_delivery', false],
        [first, true],
        ['ap_features', true],
        ['ap_done', true],
      ] as const) {
        const xen = xenMachine('panther-lake', { delivery }, 2)
        const ap = xen.machine.cpus[1]!
        xen.boot.sites.boot!.enter(xen.cpu)
        stepUntil(xen, () => ap.rip === xen.label(stage))
        pendNmi(ap)
        for (let i = 0; i < 500; i++) for (const { id } of xen.machine.cpus) xen.machine.step(id)
        expect(ap.isShutdown, stage).toBe(!survives)
        // The first CPU waits for the other one as long as it takes.
        expect(xen.cpu.halted, stage).toBe(survives)
      }
    },
  )

  it('wait until they are started, whatever comes', () => {
    const xen = xenMachine('panther-lake', { delivery: 'fred' }, 2)
    const ap = xen.machine.cpus[1]!
    xen.boot.sites.boot!.enter(xen.cpu)
    pendNmi(ap)
    for (let i = 0; i < 10; i++) expect(xen.machine.step(1)).toBe('idle')
    bootAll(xen)
    expect(ap.rip).toBe(xen.label('idle_loop'))
  })
})

describe('A14: the MSRs of a boot are checked', () => {
  it('the IDT’s poison in IA32_FRED_RSP1 is #GP(0), which the early IDT handles', () => {
    const xen = xenMachine('panther-lake', { delivery: 'fred' })
    const { bytes } = assemble('mov ecx, 0x1cd\nmov eax, 0x11111100\nmov edx, 0x86001111\nwrmsr', {
      origin: xen.label('boot_fred_rsp1'),
    })
    xen.machine.space(0n).write(xen.label('boot_fred_rsp1'), bytes)
    xen.boot.sites.boot!.enter(xen.cpu)
    const entries = runTo(xen, null)
    expect(delivered(entries)).toEqual(['#GP'])
    expect(entries.find(({ type }) => type === 'event')).toMatchObject({
      mechanism: 'idt',
      rip: xen.label('early_entry_GP'),
    })
    expect(printed(entries)).toContainEqual(expect.stringMatching(/^FATAL TRAP: vec 13, #GP\[0000\]/))
  })
})

describe('facts', () => {
  it('are read back: a changed MSR, CR4 or TSS is seen', () => {
    const { boot, cpu } = xenMachine('zen6', { delivery: 'fred' })
    expect(boot.facts!(cpu)).toMatchObject({ revision: 'rfc', pv32: false, cr4: cpu.cr4 })
    writeMsr(cpu, IA32_FRED_RSP3, 0xffff_8300_0000_1000n)
    cpu.space.write64(cpu.segment(TR).base + 4n, 0x1234n)
    expect(boot.facts!(cpu)).toMatchObject({
      msrs: { IA32_FRED_RSP3: 0xffff_8300_0000_1000n },
      tss: { limit: 0n, rsp0: 0x1234n },
    })
  })

  it('name the MSRs that the CPU has', () => {
    const names = (cpu: string): string[] => {
      const { boot, machine } = xenMachine(cpu)
      return Object.keys(boot.facts!(machine.cpu).msrs as object)
    }
    expect(names('skylake')).not.toContain('IA32_S_CET')
    expect(names('zen4')).toContain('IA32_INTERRUPT_SSP_TABLE_ADDR')
    expect(names('zen4')).not.toContain('IA32_FRED_CONFIG')
    expect(names('panther-lake')).toContain('IA32_FRED_SSP0')
  })
})

/** CPUs with and without FRED and LKGS, of both vendors, against command lines. */
function* combinations(): Generator<readonly [cpu: string, revision: Revision, cmdline: string]> {
  const features = ['', ',-lkgs', ',-fred', ',-fred,-lkgs']
  const cpus = [...features.map((edit) => `panther-lake${edit}`), ...features.map((edit) => `zen6${edit}`)]
  for (const cpu of cpus) {
    for (const revision of REVISIONS) {
      for (const fred of ['', 'fred=1', 'fred=0', 'no-fred', 'fred=2']) {
        for (const more of ['', 'pvshim', 'pv=32', 'pv-shim pv=no-32', 'cet=0', 'pv=32 cet=no-shstk']) {
          yield [cpu, revision, `${fred} ${more}`.trim()]
        }
      }
    }
  }
}

/** Lets the CPUs step in turn, those that are not done yet. */
function stepUntil(
  { machine }: XenMachine,
  isDone: (cpu: Cpu) => boolean,
  step = (cpu: Cpu): unknown => machine.step(cpu.id),
): void {
  for (let i = 0; i < 5000; i++) {
    if (machine.cpus.every(isDone)) return
    for (const cpu of machine.cpus) if (!isDone(cpu)) step(cpu)
  }
  throw new Error('not done after 5000 rounds')
}

/** Lets every CPU come to its idle loop. */
function bootAll(xen: XenMachine, step?: (cpu: Cpu) => unknown): void {
  stepUntil(xen, ({ rip }) => rip === xen.label('idle_loop'), step)
}
