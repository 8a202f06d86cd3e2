import { describe, expect, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'
import { readBoot } from './read-boot.js'

const WARNING = 'FRED not available, ignoring'
const IDT = 'Using IDT event delivery'
const FRED = 'Using FRED event delivery'
const NO_PV32_FRED = 'Disabling PV32 due to FRED'
const SHSTK = 'Enabling Supervisor Shadow Stacks'
const IBT = 'Enabling Indirect Branch Tracking'
const NO_PV32_CET = '  - Disabling PV32 due to CET'

async function json(...words: string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await trapframe('boot', ...words, '--json')
  expect(err).toBe('')
  expect(code).toBe(0)
  return JSON.parse(out) as Record<string, unknown>
}

describe('trapframe boot --json', () => {
  test('X2: decision, reasons, log, and what a machine that ran the boot holds', async () => {
    const report = await json('--cpu', 'panther-lake', '--cmdline', 'fred=1', '--revision', 'upstream')
    expect(report).toMatchObject({
      host: 'xen',
      cpu: 'panther-lake',
      cmdline: 'fred=1',
      revision: 'upstream',
      delivery: 'fred',
      reasons: ['the command line says fred=1', 'CPUID has FRED'],
      log: [NO_PV32_FRED, FRED, SHSTK, IBT],
      pv32: false,
      cr4: '0x100b52620',
      cr4Bits: ['PAE', 'OSFXSR', 'OSXMMEXCPT', 'VMXE', 'FSGSBASE', 'OSXSAVE', 'SMEP', 'SMAP', 'CET', 'FRED'],
      msrs: {
        IA32_STAR: '0xe023e00800000000',
        IA32_LSTAR: '0x0',
        IA32_FMASK: '0x0',
        IA32_FRED_RSP0: '0xffff830002607fc0',
        IA32_FRED_STKLVLS: '0x2000030000',
        IA32_FRED_SSP0: '0xffff830002606000',
      },
      tables: { idt: { base: '0x0', limit: '0x0' }, ldt: { selector: '0x0' } },
      tss: { selector: '0xe040', limit: '0x0', rsp0: '0xffff830002607fb0', ist1: '0x0' },
    })
  })

  test('under the IDT: TSS with poison, IST, tokens’ MSRs', async () => {
    const report = await json('--cpu', 'zen4')
    expect(report).toMatchObject({
      revision: 'rfc',
      delivery: 'idt',
      reasons: ['CPUID lacks FRED and LKGS'],
      log: [IDT, SHSTK, NO_PV32_CET],
      msrs: { IA32_PL0_SSP: '0xffff830002605ff8', IA32_LSTAR: '0xffff82d07ffff000' },
      tss: { limit: '0x67', rsp1: '0x8600111111111111', ist1: '0xffff830002602000', ist7: '0x8600111111111111' },
    })
    expect(report.msrs).not.toHaveProperty('IA32_FRED_CONFIG')
  })

  test('A17: what was programmed, in order, and both set-ups side by side', async () => {
    const report = await json('--cpu', 'panther-lake')
    const programmed = report.programmed as { stage: string; what: string; value?: string }[]
    const stages = programmed.map(({ stage }) => stage)
    expect(stages.indexOf('boot_fred_config')).toBeLessThan(stages.indexOf('boot_fred_cr4'))
    expect(stages.indexOf('boot_fred_cr4')).toBeLessThan(stages.indexOf('boot_fred_null_idt'))
    expect(programmed.at(-1)).toEqual({ stage: 'boot_rstorssp', what: 'SSP', value: '0xffff830002606000' })
    expect(report.setUps).toMatchObject({
      idt: { tables: { idt: 4096, tss: 104 }, descriptors: { gates: 256 }, stacks: 5, tokens: 5 },
      fred: { tables: { idt: 0, tss: 0 }, descriptors: { gates: 0 }, stacks: 2, tokens: 0 },
    })
  })
})

/** CPUs by what CPUID enumerates. */
const HARDWARE = { both: '', fred: ',-lkgs', lkgs: ',-fred', neither: ',-fred,-lkgs' }

describe('X2, X3: the log, for every combination', { timeout: 30_000 }, () => {
  for (const [vendor, preset] of [
    ['intel', 'panther-lake'],
    ['amd', 'zen6'],
  ] as const) {
    const cet = vendor === 'intel' ? [SHSTK, IBT] : [SHSTK]
    const underIdt = [IDT, ...cet, NO_PV32_CET]
    const underFred = [NO_PV32_FRED, FRED, ...cet]
    test.each(Object.entries(HARDWARE))(`upstream, ${vendor}, %s`, (hardware, edit) => {
      const available = hardware === 'both' || hardware === 'fred'
      const log = (cmdline: string) => readBoot({ cpu: `${preset}${edit}`, cmdline, revision: 'upstream' }).log
      for (const pv of ['', ' pv=32']) {
        expect(log(pv)).toEqual(available && vendor === 'amd' ? underFred : underIdt)
        expect(log(`pv-shim${pv}`)).toEqual(underIdt)
        for (const shim of ['', ' pv-shim']) {
          expect(log(`fred=1${shim}${pv}`)).toEqual(available ? underFred : [WARNING, ...underIdt])
          expect(log(`fred=0${shim}${pv}`)).toEqual(underIdt)
          expect(log(`no-fred${shim}${pv}`)).toEqual(underIdt)
        }
      }
    })
    test.each(Object.entries(HARDWARE))(`rfc, ${vendor}, %s`, (hardware, edit) => {
      const available = hardware === 'both'
      const log = (cmdline: string) => readBoot({ cpu: `${preset}${edit}`, cmdline }).log
      for (const pv of ['', ' pv=32']) {
        expect(log(pv)).toEqual(available ? underFred : underIdt)
        expect(log(`fred=1${pv}`)).toEqual(available ? underFred : [WARNING, ...underIdt])
        expect(log(`pvshim${pv}`)).toEqual(underIdt)
        expect(log(`pvshim fred=1${pv}`)).toEqual(available ? underIdt : [WARNING, ...underIdt])
        for (const shim of ['', ' pvshim']) {
          expect(log(`fred=0${shim}${pv}`)).toEqual(underIdt)
          expect(log(`no-fred${shim}${pv}`)).toEqual(underIdt)
        }
      }
    })
  }

  test.each([
    ['fred=1 pv=no-32', [FRED, SHSTK, IBT], false],
    ['fred=0 pv=no-32', [IDT, SHSTK, IBT], false],
    ['fred=0 cet=0', [IDT], true],
    ['fred=0 cet=no-ibt', [IDT, SHSTK, NO_PV32_CET], false],
    ['fred=0 cet=no-shstk', [IDT, IBT, NO_PV32_CET], false],
    ['fred=1 cet=0', [NO_PV32_FRED, FRED], false],
    ['fred=2', [IDT, SHSTK, IBT, NO_PV32_CET], false],
    ['fred=banana fred', [NO_PV32_FRED, FRED, SHSTK, IBT], false],
    ['fred=1 no-fred cet=0 pv=32', [IDT], true],
  ])('upstream, "%s"', (cmdline, log, pv32) => {
    expect(readBoot({ cpu: 'panther-lake', cmdline, revision: 'upstream' })).toMatchObject({ log, pv32 })
  })
})

describe('trapframe boot for people', () => {
  test('decision, reasons, log, then fact by fact', async () => {
    const { code, out } = await trapframe('boot', '--cpu', 'skylake', '--cmdline', 'fred')
    expect(code).toBe(0)
    expect(out.split('\n').slice(0, 13)).toEqual([
      'Boot of skylake: xen, delivery idt',
      'command line: fred',
      'the command line says fred=1',
      'CPUID lacks FRED and LKGS',
      '',
      'Log',
      `  ${WARNING}`,
      `  ${IDT}`,
      '',
      'Facts',
      '  revision  rfc',
      '  pv32      yes',
      '  cr4       0x352620',
    ])
    expect(out).toContain('\n  cr4 bits  PAE OSFXSR OSXMMEXCPT VMXE FSGSBASE OSXSAVE SMEP SMAP\n')
    expect(out).toMatch(/\nMSRs\n {2}IA32_EFER +0xd01\n/)
    expect(out).toMatch(/\n {2}boot_syscall_lstar +IA32_LSTAR +0xffff82d07ffff000\n/)
  })

  test('both set-ups in two columns; a delivery that cannot be had is empty', async () => {
    const both = (await trapframe('boot')).out
    expect(both).toMatch(/\nThe set-ups side by side\n +IDT +FRED\n/)
    expect(both).toMatch(/\n {2}descriptors: gates +256 +0\n/)
    expect((await trapframe('boot', '--cpu=skylake')).out).toMatch(/\n {2}descriptors: gates +256 +–\n/)
  })

  test('a host without facts shows its decision', async () => {
    const { code, out } = await trapframe('boot', '--host', 'flat-fred')
    expect(code).toBe(0)
    expect(out).toMatch(/^Boot of panther-lake: flat-fred, delivery fred\n/)
  })

  test('an empty command line is one too', async () => {
    expect(await json('--cmdline', '')).toEqual(await json())
    expect((await json('--cmdline=fred=1 pv=no-32')).log).toEqual([FRED, SHSTK, IBT])
  })

  test('options of the host, and mistakes', async () => {
    expect((await json('--option', 'shadowStacks=false')).cr4Bits).toContain('CET')
    expect((await trapframe('boot', '--option', 'ist')).err).toContain('"ist" is no option of a host')
    expect((await trapframe('boot', '--cpu', 'skylark')).err).toContain('unknown CPU "skylark"')
    expect((await trapframe('boot', '--revision', 'later')).err).toContain('"later"')
    expect((await trapframe('boot', '--cmd', 'fred=1')).err).toContain('did you mean "--cmdline"?')
    expect((await trapframe('boot', 'panther-lake')).code).toBe(2)
  })
})

describe('start: boot', () => {
  test('a run that begins with the boot prints what the boot prints, once', async () => {
    const folder = folderWith({
      'boot.yaml': 'name: x\nmachine: { delivery: fred }\nstart: boot\nexpect: [{ outcome: halted, cpl: 0 }]\n',
    })
    const { code, out } = await trapframe('run', `${folder}/boot.yaml`, '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out).scenarios[0].cells[0].log).toEqual([NO_PV32_FRED, FRED, SHSTK, IBT])
  })

  test('a host whose boot cannot be run again is told', async () => {
    const folder = folderWith({ 'flat.yaml': 'name: x\nmachine: { host: flat-idt }\nstart: boot\n' })
    const { code, err } = await trapframe('run', `${folder}/flat.yaml`)
    expect(code).toBe(2)
    expect(err).toContain('flat.yaml:3:8  host "flat-idt" cannot be started at its boot')
  })
})
