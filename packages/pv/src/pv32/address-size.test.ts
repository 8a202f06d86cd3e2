import { createMachine, type Machine } from '@trapframe/core'
import { describe, expect, it, test } from 'vitest'
import { xenPlugins } from '../../test/pv32-machine.js'
import { switchToCompat } from './address-size.js'

describe('P5, X3: who may have a 32-bit guest', () => {
  const booted = (cmdline: string): { machine: Machine; log: string[]; boot: ReturnType<Machine['boot']> } => {
    const machine = createMachine({ cpu: 'panther-lake', plugins: xenPlugins() })
    const boot = machine.boot('xen', { cmdline })
    const log: string[] = []
    machine.observe({ log: (_, text) => log.push(text) })
    return { machine, boot, log }
  }

  it.each([
    ['fred=1', 'FRED has no ring 1'],
    ['fred=1 pv=32', 'FRED has no ring 1'],
    ['fred=0', 'CET does not work'],
    ['fred=0 pv-shim', 'CET does not work'],
    ['fred=0 cet=0 pv=no-32', 'pv=no-32'],
  ])('a host with "%s" refuses it with -EOPNOTSUPP, says %s, and names PVShim', (cmdline, why) => {
    const { machine, boot } = booted(cmdline)
    const answer = switchToCompat(machine, boot)
    expect(answer.result).toBe(-95)
    expect(answer).toMatchObject({ reason: expect.stringContaining(why) })
    expect(answer).toMatchObject({ reason: expect.stringContaining('PVShim, a Xen that uses neither FRED nor CET') })
  })

  it('for dom0 the refusal is the end of the boot: "Dom0 failed to switch to compat: -95" and a panic', () => {
    const { machine, boot, log } = booted('fred=1')
    expect(switchToCompat(machine, boot, 'dom0').result).toBe(-95)
    expect(log[0]).toBe('Dom0 failed to switch to compat: -95')
    expect(log).toContain('Panic on CPU 0:')
    expect(log).toContain('Could not construct domain 0')
    expect(machine.cpu.rip).toBe(boot.labels.get('panic_stop'))
  })

  it.each(['pv-shim cet=0', 'fred=0 cet=0', 'pvshim no-cet'])('a host with "%s" takes it', (cmdline) => {
    const { machine, boot } = booted(cmdline)
    expect(switchToCompat(machine, boot)).toEqual({ result: 0 })
  })

  test('another host than Xen is an error', () => {
    const machine = createMachine({ cpu: 'panther-lake', plugins: xenPlugins() })
    expect(() => switchToCompat(machine, machine.boot('flat-idt'))).toThrow('it is not Xen')
  })
})
