import { pendNmi } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { xenMachine } from '../../test/xen-machine.js'

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
})
