import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'

const X7 = fileURLToPath(new URL('../../../../scenarios/xen/syscall-interleaved.yaml', import.meta.url))

/** A system call on one machine. */
const scenario = (machine: string, rest = ''): string =>
  join(
    folderWith({
      's.yaml': `name: A system call\nmachine: { ${machine} }\nguest: |\n    mov rsp, 0x7fff0000\n    syscall\n    back:\n${rest}`,
    }),
    's.yaml',
  )
const IDT = 'delivery: idt, options: { ist: false, smap: false, shadowStacks: false, ibt: false }'
const FRED = 'delivery: fred, options: { smap: false, shadowStacks: false }'

interface Cell {
  readonly name: string
  readonly boundaries: number
  readonly events: readonly {
    readonly event: string
    readonly boundaries: number
    readonly good: number
    readonly waited: number
    readonly never: number
    readonly bad: Readonly<Record<string, number>>
    readonly clobbered: Readonly<Record<string, number>>
    readonly otherwise: Readonly<Record<string, number>>
    readonly at: readonly {
      readonly boundary: string
      readonly rsp: string
      readonly frame: { readonly address: string }
    }[]
  }[]
}

async function cellsOf(...words: readonly string[]): Promise<readonly Cell[]> {
  const { code, out, err } = await trapframe('interleave', '--json', ...words)
  expect([code, err]).toEqual([0, ''])
  return (JSON.parse(out) as { cells: readonly Cell[] }).cells
}

/** A scenario runs once for each boundary, and a busy machine takes its time. */
const SLOW = { timeout: 60_000 }

describe('X7: an event at every instruction of ring 0', SLOW, () => {
  test('IDT without IST: bad where RSP is the guest’s, on the way in and on the way out', async () => {
    const [cell] = await cellsOf(scenario(IDT), '--events', 'nmi')
    const [nmi] = cell!.events
    expect(nmi).toMatchObject({ event: 'NMI', boundaries: cell!.boundaries, bad: { guest: 5 }, waited: 0, never: 0 })
    expect(nmi!.good).toBe(cell!.boundaries - 5)
    expect(nmi!.at.map(({ boundary }) => boundary)).toEqual([
      'syscall_entry',
      'syscall_entry+0xa',
      'syscall_entry+0xd',
      expect.stringMatching(/^restore_all_guest/),
      'sysretq_guest',
    ])
    for (const { rsp, frame } of nmi!.at) expect([rsp, frame.address]).toEqual(['0x7fff0000', '0x7ffeffd8'])
  })

  test('FRED: good at every one, and the guest comes back as without', async () => {
    const [cell] = await cellsOf(scenario(FRED))
    expect(cell!.boundaries).toBeGreaterThan(80)
    expect(cell!.events.map(({ event }) => event)).toEqual(['NMI', '#DB', '#MC'])
    for (const one of cell!.events) {
      expect(one).toMatchObject({ good: cell!.boundaries, bad: {}, clobbered: {}, otherwise: {}, at: [] })
    }
  })

  test('a second #MC in the handler of the first: shutdown while MCIP is set, then clobbered on its IST stack, good under FRED', async () => {
    const cells = await cellsOf(X7, '--events', 'mc')
    expect(cells.map(({ name, events }) => [name, events[0]!.clobbered, Object.keys(events[0]!.bad)])).toEqual([
      ['idt, ist: true, revision: rfc, during: syscall', {}, []],
      ['idt, ist: true, revision: rfc, during: mc', { '#MC': expect.any(Number) }, []],
      ['idt, ist: false, revision: rfc, during: syscall', {}, ['guest']],
      ['idt, ist: false, revision: rfc, during: mc', {}, ['guest']],
      ['fred, ist: true, revision: rfc, during: syscall', {}, []],
      ['fred, ist: true, revision: rfc, during: mc', {}, []],
      ['fred, ist: true, revision: upstream, during: syscall', {}, []],
      ['fred, ist: true, revision: upstream, during: mc', {}, []],
    ])
    // The handler clears MCIP as its last act: until then nothing is delivered, whatever delivers; what comes after it is lost.
    const mc = cells.map(({ events }) => events[0]!)
    expect(mc.map(({ otherwise }) => Object.keys(otherwise))).toEqual([
      [],
      ['shutdown', 'running'],
      [],
      ['shutdown'],
      [],
      ['shutdown'],
      [],
      ['shutdown'],
    ])
    for (const { boundaries, good, bad, otherwise } of mc) {
      expect(good + (bad.guest ?? 0) + (otherwise.shutdown ?? 0)).toBe(boundaries)
    }
    expect(mc[1]!.clobbered['#MC']).toBe(mc[1]!.otherwise.running)
  }, 60_000)

  test('with SMAP the push faults instead, and Xen’s last words say how it ended', async () => {
    const [cell] = await cellsOf(scenario(IDT.replace('smap: false', 'smap: true')), '--events', 'nmi')
    expect(cell!.events[0]).toMatchObject({ never: 5, otherwise: { 'DOUBLE FAULT -- system shutdown': 5 } })
  })

  test('an NMI that is blocked at a boundary waits, and is counted where it lands', async () => {
    const inject = 'inject: [{ event: nmi, at: { label: syscall_entry } }]\n'
    const [cell] = await cellsOf(scenario(FRED, inject), '--events', 'nmi')
    const [nmi] = cell!.events
    expect(nmi!.waited).toBeGreaterThan(20)
    expect(nmi!.good + nmi!.never).toBe(cell!.boundaries)
  })

  test('the table has a row for each cell and event, and names the bad boundaries', async () => {
    const { out } = await trapframe('interleave', scenario(IDT), '--events', 'nmi,mc')
    expect(out).toMatch(/event +boundaries +good stack +bad stack +frame clobbered +ended otherwise\n/)
    expect(out).toMatch(/ NMI +\d+ +\d+ +5 guest +– +–\n/)
    expect(out).toContain('bad stack, NMI, #MC: syscall_entry … syscall_entry+0xd (3), ')
  })
})

describe('mistakes', () => {
  test('an unknown event is told with the known ones', async () => {
    const { code, err } = await trapframe('interleave', scenario(FRED), '--events', 'nmi,nim')
    expect(code).toBe(2)
    expect(err).toContain('--events: unknown event "nim"')
    expect(err).toContain('did you mean "nmi"?')
  })

  test('an event that needs more than its name', async () => {
    const { code, err } = await trapframe('interleave', scenario(FRED), '--events', 'interrupt')
    expect(code).toBe(2)
    expect(err).toContain('"interrupt" needs more than its name')
  })

  test('a scenario that cannot be read', async () => {
    const { code, err } = await trapframe('interleave', scenario('delivery: fred, cpu: skylake'))
    expect(code).toBe(2)
    expect(err).toContain('FRED')
  })
})
