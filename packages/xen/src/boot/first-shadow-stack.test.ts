import { assemble } from '@trapframe/isa'
import { describe, expect, it } from 'vitest'
import { printed, runTo, type XenMachine, xenMachine } from '../../test/xen-machine.js'
import { stackOf } from '../layout/memory.js'

/** Writes other code over a stage of the boot. */
function patch({ machine, label }: XenMachine, stage: string, source: string): void {
  const symbols = Object.fromEntries(['boot_shadow_done'].map((name) => [name, label(name)]))
  machine.space(0n).write(label(stage), assemble(source, { origin: label(stage), symbols }).bytes)
}

/** Runs the boot again until there is nothing to do; faults and lines on the way. */
function bootAgain(xen: XenMachine): { faults: string[]; lines: string[] } {
  xen.boot.sites.boot!.enter(xen.cpu)
  const entries = runTo(xen, null)
  const faults = entries.flatMap((entry) =>
    entry.type === 'fault' ? [`${entry.fault}[${entry.errorCode}] during ${entry.during}`] : [],
  )
  return { faults, lines: printed(entries) }
}

const PRIMARY_TOKEN = stackOf(0).linear + 0x6000n - 8n

describe('A9: how the first SSP is established', () => {
  it('IDT: SETSSBSY makes the token of PL0_SSP busy and runs at it', () => {
    const xen = xenMachine('sapphire-rapids')
    expect(bootAgain(xen).faults).toEqual([])
    expect(xen.cpu.ssp).toBe(PRIMARY_TOKEN)
    expect(xen.cpu.space.read64(PRIMARY_TOKEN)).toBe(PRIMARY_TOKEN | 1n)
  })

  it('FRED: a restore token, its address + 8 with bit 0 set, is written by WRSSQ and taken by RSTORSSP', () => {
    const xen = xenMachine('panther-lake', { delivery: 'fred' })
    xen.boot.sites.boot!.enter(xen.cpu)
    runTo(xen, xen.label('boot_rstorssp'))
    expect(xen.cpu.ssp).toBe(0n)
    expect(xen.cpu.space.read64(PRIMARY_TOKEN)).toBe((PRIMARY_TOKEN + 8n) | 1n)
    runTo(xen, xen.label('boot_shadow_done'))
    expect(xen.cpu.ssp).toBe(PRIMARY_TOKEN + 8n)
  })

  it('SETSSBSY under FRED is #UD; with no SSP yet nothing can be delivered but #DF', () => {
    const xen = xenMachine('panther-lake', { delivery: 'fred' })
    patch(xen, 'boot_rstorssp', 'setssbsy')
    const { faults, lines } = bootAgain(xen)
    expect(faults).toEqual(['#UD[0] during null', '#PF[66] during #UD', '#PF[66] during #PF'])
    expect(lines).toContain('*** DOUBLE FAULT ***')
    expect(xen.cpu.rip - xen.label('panic_stop')).toBe(2n)
  })

  it('RSTORSSP under the IDT finds a supervisor token, which is no restore token: #CP(4), and so #DF', () => {
    const xen = xenMachine('sapphire-rapids')
    patch(xen, 'boot_setssbsy', 'rstorssp [rbx + 0x5ff8]')
    const { faults, lines } = bootAgain(xen)
    expect(faults).toEqual(['#CP[4] during null', '#PF[66] during #CP', '#PF[66] during #PF'])
    expect(lines).toContain('*** DOUBLE FAULT ***')
  })

  it('with a restore token in its place RSTORSSP works under the IDT, and the first SETSSBSY of an entry faults: #CP(5)', () => {
    const xen = xenMachine('sapphire-rapids')
    const restore =
      'lea rdx, [rbx + 0x5ff8]\nlea rax, [rdx + 9]\nwrssq [rdx], rax\nrstorssp [rdx]\njmp boot_shadow_done'
    patch(xen, 'boot_setssbsy', restore)
    xen.boot.sites.boot!.enter(xen.cpu)
    runTo(xen, xen.label('idle_loop'))
    patch(xen, 'host', 'setssbsy')
    xen.cpu.rip = xen.label('host')
    expect(printed(runTo(xen, null))).toContainEqual(expect.stringMatching(/^FATAL TRAP: vec 21, #CP\[0005\]/))
  })
})
