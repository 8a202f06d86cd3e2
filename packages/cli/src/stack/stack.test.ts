import { createMachine, HOSTS, type HostKind, PAGE_WRITABLE, readMsr, writeMsr } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { trapframe } from '../../test/command-line.js'
import { MACHINE } from '../scenario/grammar.js'
import { bootMachine } from '../session/machine.js'
import { officialPlugins } from '../session/plugins.js'
import { drawStackMap } from './draw.js'

const plain = (_role: unknown, text: string): string => text
const IA32_FRED_RSP3 = 0x1cf

function boot(delivery: string) {
  const booted = bootMachine(MACHINE.parse({ delivery }), officialPlugins())
  if (!('machine' in booted)) throw new Error(booted[0]?.message)
  const { machine, boot } = booted
  const draw = (): string =>
    drawStackMap(boot.stackMap(machine.cpu), { cpu: 'panther-lake', host: 'xen', reasons: [] }, plain)
  return { machine, draw }
}

const rows = (text: string): string[] => text.split('\n').map((line) => line.trim().replace(/\s{2,}/g, '  '))

describe('trapframe stack', () => {
  test('--delivery fred: levels, shadow stacks, and pointers that are poison (X4, X5)', async () => {
    const { code, out } = await trapframe('stack', '--cpu', 'panther-lake', '--delivery', 'fred')
    expect(code).toBe(0)
    expect(out).toContain('Stacks of CPU 0: panther-lake, xen, delivery fred\n')
    for (const part of ['primary', '#DF', '#DB', 'NMI', '#MC', 'primary shadow stack', '#DF shadow stack']) {
      expect(
        rows(out).some((row) => row.startsWith(`│ ${part}  `)),
        part,
      ).toBe(true)
    }
    expect(out).toMatch(/│ primary .*◀─ …7fc0 {2}IA32_FRED_RSP0 +SL0/)
    expect(out).toMatch(/│ #DF .*◀─ …5000 {2}IA32_FRED_RSP3 +SL3/)
    expect(out).toMatch(/│ #DB shadow stack .*◀─ …0c00 {2}IA32_FRED_RSP1 +SL1/)
  })

  test('--delivery idt: IST stacks with their indices, and poison (X4, X6)', async () => {
    const { out } = await trapframe('stack', '--delivery=idt')
    for (const [part, ist] of [
      ['#MC', 1],
      ['NMI', 2],
      ['#DB', 3],
      ['#DF', 4],
    ] as const) {
      expect(out).toMatch(new RegExp(`│ ${part} .*TSS\\.IST${ist} +IST${ist} \\(${part}\\)`))
    }
    expect(out).toContain('Pointers that lead to none of these\n')
    expect(out).toMatch(/TSS\.RSP1 +ring 1.* {2}8600111111111111 {2}not canonical: any use faults/)
  })

  test('guard pages where there are no shadow stacks', async () => {
    const { out } = await trapframe('stack', '--delivery', 'fred', '--option', 'shadowStacks=false')
    expect(out).toMatch(/│ guard \(primary shadow stack\)/)
  })

  test('--revision upstream has #MC at SL2', async () => {
    const { out } = await trapframe('stack', '--delivery', 'fred', '--revision', 'upstream')
    expect(out).toMatch(/│ #MC .*IA32_FRED_RSP2 +SL2/)
  })

  test('the map is read back: an MSR that changes moves its arrow, a page that changes its attributes', () => {
    const { machine, draw } = boot('fred')
    expect(draw()).toMatch(/│ #DF .*IA32_FRED_RSP3/)
    const moved = readMsr(machine.cpu, IA32_FRED_RSP3) - 0x1000n
    writeMsr(machine.cpu, IA32_FRED_RSP3, moved)
    expect(draw()).toMatch(/│ #DB .*IA32_FRED_RSP3/)
    machine.cpu.space.unmap(moved - 0x1000n)
    expect(draw()).toMatch(/│ guard \(#DB\) .*not mapped/)
    machine.cpu.space.map(moved - 0x1000n, PAGE_WRITABLE)
    writeMsr(machine.cpu, IA32_FRED_RSP3, 0n)
    expect(draw()).toMatch(/none of these\n {2}IA32_FRED_RSP3 .* 0000000000000000 {2}never set/)
  })

  test('--json is the map as data', async () => {
    const { out } = await trapframe('stack', '--delivery', 'fred', '--json')
    const { map, host } = JSON.parse(out)
    expect([host, map.cpu, map.delivery]).toEqual(['xen', 0, 'fred'])
    expect(map.regions).toContainEqual(
      expect.objectContaining({
        name: '#DF',
        kind: 'stack',
        bytes: 4096,
        attributes: 'w',
        pointers: [
          expect.objectContaining({ source: 'IA32_FRED_RSP3', value: expect.stringMatching(/^0x[0-9a-f]+$/) }),
        ],
      }),
    )
  })

  test('a gap between regions is shown as one', () => {
    const host: HostKind = {
      name: 'gappy',
      summary: '',
      deliveries: [],
      options: {},
      boot: () => ({
        delivery: 'none',
        reasons: [],
        log: [],
        labels: new Map(),
        sites: {},
        areas: {},
        stackMap: () => ({
          cpu: 0,
          delivery: 'none',
          regions: [
            { address: 0x1000n, bytes: 0x400, name: 'low', kind: 'data', attributes: 'wu', pointers: [] },
            { address: 0x3000n, bytes: 0x1000, name: 'high', kind: 'stack', attributes: '', pointers: [] },
          ],
          elsewhere: [],
        }),
      }),
    }
    const machine = createMachine({
      cpu: 'skylake',
      plugins: [{ name: 'gappy', setup: (door) => door.add(HOSTS, 'gappy', host) }],
    })
    const text = drawStackMap(
      machine.boot('gappy').stackMap(machine.cpu),
      { cpu: 'skylake', host: 'gappy', reasons: [] },
      plain,
    )
    expect(rows(text).slice(2)).toEqual([
      expect.stringMatching(/^4000 ┌/),
      expect.stringContaining('│ high  4 KiB │ read-only'),
      expect.stringMatching(/^3000 └/),
      '⋮',
      expect.stringMatching(/^1400 ┌/),
      expect.stringContaining('│ low, data  1 KiB │ writable, user'),
      expect.stringMatching(/^1000 └/),
      '',
    ])
  })

  test.each([
    [['--cpu', 'pantherlake'], 'unknown CPU "pantherlake"', 'did you mean "panther-lake"?'],
    [['--delivery', 'fried'], 'host "xen" has no delivery "fried"', 'did you mean "fred"?'],
    [['--cpu', 'skylake', '--delivery', 'fred'], 'delivery "fred" was asked for, and Xen decides for idt', undefined],
    [['--host', 'xne'], 'unknown host "xne"', 'did you mean "xen"?'],
    [['--option', 'isst=true'], 'host "xen" has no option "isst"', 'did you mean "ist"?'],
    [['--option', 'ist'], '"ist" is no option of a host', undefined],
    [['--revision', 'rfcc'], 'option "revision" of host "xen" is "rfcc"', undefined],
  ])('%j is refused', async (words, message, hint) => {
    const { code, err } = await trapframe('stack', ...words)
    expect(err.split('\n')[0]).toContain(`error: ${message}`)
    if (hint !== undefined) expect(err.split('\n')[1]).toBe(`  ${hint}`)
    expect(code).toBe(2)
  })
})
