import { type Cpu, pendMachineCheck, pendNmi, raise } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { xenMachine } from '../../test/xen-machine.js'
import { type Interrupted, interruptBoot } from './interrupted.js'

const NMI = pendNmi
const PAGE_FAULT = (cpu: Cpu): void =>
  raise(cpu, { kind: 'hardwareException', vector: 14, errorCode: 0, eventData: 0xdead_b000n })

const interrupted = (delivery: 'idt' | 'fred', event: (cpu: Cpu) => void, options = {}): Interrupted[] => {
  const { machine, boot } = xenMachine('panther-lake', { delivery, options })
  return interruptBoot(machine, boot, event)
}

const stagesOf = (list: readonly Interrupted[]): string[] => [...new Set(list.map(({ stage }) => stage))]

/** Outcomes as they change along the way: mechanism and end. */
function course(list: readonly Interrupted[]): string[] {
  const all = list.map(({ mechanism, delivered, end }) => `${mechanism ?? 'nobody'} ${delivered.join(', ')}: ${end}`)
  return all.filter((one, i) => one !== all[i - 1])
}

describe('X1: an event at every instruction of the boot', { timeout: 30_000 }, () => {
  it('an NMI: nobody before LIDT, the early IDT until CR4.FRED is set, FRED from then on; the boot goes on as if nothing had happened', () => {
    const list = interrupted('fred', NMI, { shadowStacks: false })
    expect(course(list)).toEqual(['nobody : shutdown', 'idt NMI: boots', 'fred NMI: boots'])
    expect(list.findLast(({ mechanism }) => mechanism === 'idt')?.stage).toBe('boot_fred_cr4')
    expect(list.find(({ mechanism }) => mechanism === 'fred')?.stage).toBe('boot_fred_null_idt')
    expect(list.filter(({ end }) => end === 'shutdown').map(({ stage }) => stage)).toEqual([
      ...Array(2).fill('boot_start'),
      ...Array(26).fill('boot_gdt'),
      'boot_early_idt',
    ])
  })

  it('an NMI under the IDT: the early one, then the one with stacks of its own', () => {
    expect(course(interrupted('idt', NMI, { shadowStacks: false }))).toEqual(['nobody : shutdown', 'idt NMI: boots'])
  })

  it('a page fault ends the boot: by Xen’s own report from LIDT on', () => {
    expect(course(interrupted('idt', PAGE_FAULT, { shadowStacks: false }))).toEqual([
      'nobody : shutdown',
      'idt #PF: panics',
    ])
    expect(course(interrupted('fred', PAGE_FAULT, { shadowStacks: false }))).toEqual([
      'nobody : shutdown',
      'idt #PF: panics',
      'fred #PF: panics',
    ])
  })

  it('a machine check is survived wherever an NMI is', () => {
    for (const revision of ['rfc', 'upstream']) {
      const options = { revision, shadowStacks: false }
      expect(course(interrupted('fred', pendMachineCheck, options))).toEqual([
        'nobody : shutdown',
        'idt #MC: boots',
        'fred #MC: boots',
      ])
    }
  })

  it('comes before the command line is parsed: the early IDT is there by then', () => {
    for (const delivery of ['idt', 'fred'] as const) {
      const list = interrupted(delivery, NMI)
      const parsing = list.filter(({ stage }) => stage === 'boot_cmdline')
      expect(parsing.map(({ mechanism, end }) => [mechanism, end])).toEqual(Array(4).fill(['idt', 'boots']))
    }
  })

  it('walks all of it', () => {
    expect(stagesOf(interrupted('fred', NMI)).slice(0, 10)).toEqual([
      'boot_start',
      'boot_gdt',
      'boot_early_idt',
      'boot_cmdline',
      'boot_cpuid',
      'boot_decide',
      'boot_delivery',
      'init_delivery',
      'boot_fred_star',
      'boot_fred_fmask',
    ])
  })
})

describe('A9: shadow stacks are on and there is no SSP yet', () => {
  it('FRED: from WRMSR to RSTORSSP every event is #DF, on the level that has its own shadow stack', () => {
    const list = interrupted('fred', NMI)
    const lost = list.filter(({ end }) => end === 'panics')
    expect(lost.map(({ stage, delivered }) => [stage, ...delivered])).toEqual([
      ['boot_restore_token', '#DF'],
      ['boot_restore_token', '#DF'],
      ['boot_restore_token', '#DF'],
      ['boot_rstorssp', '#DF'],
    ])
  })

  it('IDT: there is one such instruction, SETSSBSY; an NMI has a shadow stack of its own there, a page fault has not', () => {
    expect(interrupted('idt', NMI).filter(({ end }) => end === 'panics')).toEqual([])
    const faults = interrupted('idt', PAGE_FAULT).filter(({ delivered }) => delivered.includes('#DF'))
    expect(faults.map(({ stage, end }) => [stage, end])).toEqual([['boot_setssbsy', 'panics']])
  })

  it('IDT without IST: an NMI is lost there too', () => {
    const lost = interrupted('idt', NMI, { ist: false }).filter(({ end }) => end === 'panics')
    expect(lost.map(({ stage, delivered }) => [stage, ...delivered])).toEqual([['boot_setssbsy', '#DF']])
  })
})
