import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'

// Searches of some ten thousand states, in a runner that makes them slow.
vi.setConfig({ testTimeout: 120_000 })

const scenarios = fileURLToPath(new URL('../../../../scenarios/explore', import.meta.url))
const NMI = join(scenarios, 'nmi-handler.yaml')

interface Found {
  readonly states: number
  readonly transitions: number
  readonly depth: number
  readonly statesPerSecond: number
  readonly complete: boolean
  readonly violations: readonly {
    readonly invariant: string
    readonly message: string
    readonly scenario: string
    readonly events: number
    readonly steps: number
    readonly injections: readonly { readonly event: string; readonly step: number; readonly at: string }[]
  }[]
  readonly cells: readonly {
    readonly cell: string
    readonly complete: boolean
    readonly unmet: readonly string[]
    readonly stopped: readonly string[]
    readonly coverage: readonly { readonly at: string; readonly events: readonly string[] }[]
  }[]
}

async function explored(...words: readonly string[]) {
  const out = folderWith({})
  const { code, out: printed, err } = await trapframe('explore', '--json', '--out', out, ...words)
  expect(err).toBe('')
  return { code, out, found: JSON.parse(printed) as Found }
}

const file = (text: string): string => join(folderWith({ 's.yaml': text }), 's.yaml')

describe('A18: what a search finds by itself', () => {
  test('NMI re-entry through an IRET in the handler (CVE-2015-3290): three events, four steps; nothing under FRED', async () => {
    const { code, found } = await explored(NMI)
    expect(code).toBe(1)
    expect(found.complete).toBe(true)
    expect(found.violations).toHaveLength(1)
    const [first] = found.violations
    expect(first).toMatchObject({ invariant: 'no-clobber', events: 3, steps: 4 })
    expect(first!.injections.map(({ event, step }) => [event, step])).toEqual([
      ['NMI', 1],
      [expect.stringMatching(/#MC|#DB/), 2],
      ['NMI', 4],
    ])
    expect(found.cells.map(({ cell, unmet }) => [cell, unmet])).toEqual([
      ['idt', []],
      ['fred', []],
    ])
  })

  test.each(['bad-iret', 'machine-check', 'swapgs-window', 'syscall-gap'])(
    '%s: as the scenario says, and every counterexample fails `keeps` and passes `run --check`',
    async (name) => {
      const { code, out } = await explored(join(scenarios, `${name}.yaml`), '--check')
      expect(code).toBe(0)
      const files = readdirSync(out)
      expect(files.length).toBeGreaterThan(0)
      expect((await trapframe('run', out, '--check')).code).toBe(0)
      const kept = join(out, files[0]!)
      writeFileSync(kept, readFileSync(kept, 'utf8').replace('violates:', 'keeps:'))
      expect((await trapframe('run', kept)).code).toBe(1)
    },
  )

  test('Xen under FRED, both revisions, one event everywhere: complete, nothing found', async () => {
    const { code, found } = await explored(join(scenarios, 'xen-everywhere.yaml'), '--cell', 'delivery=fred')
    expect([code, found.complete, found.violations]).toEqual([0, true, []])
  })
})

describe('counterexamples', () => {
  test('on one CPU they name places, and how often the CPU stood there', async () => {
    const { out } = await explored(NMI, '--cell', 'delivery=idt')
    const text = readFileSync(join(out, 'nmi-handler.idt.no-clobber.yaml'), 'utf8')
    expect(text).toContain('- { event: nmi, at: { label: guest } }')
    expect(text).toContain('- { event: nmi, at: { label: handler_2, occurrence: 2 } }')
    expect(text).toContain('limits: { steps: 4 }')
    expect(text).toContain('- { violates: no-clobber }')
  })

  test('on several CPUs they have a schedule, and events before steps', async () => {
    const source = readFileSync(NMI, 'utf8').replace('machine: {', 'machine: { cpus: 2,')
    const { out } = await explored(file(source), '--cell', 'delivery=idt', '--event-cpus', '1', '--events', 'nmi,db')
    const text = readFileSync(join(out, 's.idt.no-clobber.yaml'), 'utf8')
    expect(text).toMatch(/schedule: \[ 1, 1, 1, 1 \]/)
    expect(text).toContain('- { event: nmi, at: { step: 4, cpu: 1 } }')
    expect((await trapframe('run', out, '--check')).code).toBe(0)
  })

  test('a page that is not there for one step is an injection too', async () => {
    const source = [
      'name: A page fault in the gap',
      'machine: { host: flat-idt }',
      'kernel: |',
      '  mov rsp, 0x600000',
      '  mov rax, [host_data]',
    ]
    const { code, out } = await explored(file(source.join('\n')), '--events', 'pf:host_data+8', '--depth', '1')
    expect(code).toBe(1)
    const text = readFileSync(join(out, 's.good-stack.yaml'), 'utf8')
    expect(text).toContain('- { event: pf, address: 0x130000, at: { address: host+0x7 } }')
    expect((await trapframe('run', out, '--check')).code).toBe(0)
  })

  test('--explain shows them in words, --html as a page', async () => {
    const out = folderWith({})
    const page = join(out, 'way.html')
    const did = await trapframe('explore', NMI, '--cell', 'delivery=idt', '--out', out, '--explain', '--html', page)
    expect(did.out).toContain('replay: trapframe run ')
    expect(did.out).toMatch(/step 4 .*↯ NMI/)
    expect(existsSync(page)).toBe(true)
  })
})

describe('options', () => {
  test('the command line wins over the scenario', async () => {
    const { code, found } = await explored(NMI, '--events', 'nmi,interrupt:0x21', '--cell', 'delivery=idt')
    expect([code, found.complete, found.violations]).toEqual([0, true, []])
    expect(found.cells[0]!.unmet).toEqual([
      'no-clobber should be violated',
      'the shortest counterexample should have 3 events, not none',
    ])
  })

  test('budgets end a search as not complete', async () => {
    const { found } = await explored(NMI, '--max-states', '10', '--cell', 'delivery=fred')
    expect(found.complete).toBe(false)
    expect(found.cells[0]!.stopped).toEqual(['states'])
  })

  test('depth first finds the same invariant broken, and all strategies agree that FRED is clean', async () => {
    for (const strategy of ['depth-first', 'iterative-deepening']) {
      const { found } = await explored(NMI, '--strategy', strategy)
      expect(found.violations.map(({ invariant }) => invariant)).toEqual(['no-clobber'])
    }
  })

  test('--coverage is a table of boundaries and events', async () => {
    const { out } = await trapframe('explore', NMI, '--cell', 'delivery=fred', '--coverage', '--out', folderWith({}))
    expect(out).toMatch(/boundary +step +NMI +#MC +#DB +interrupt 0x21/)
    expect(out).toMatch(/entry_ring0 +yes +yes +yes +yes +–/)
  })

  test('--graph writes DOT, with what is broken in red', async () => {
    const dot = join(folderWith({}), 'out.dot')
    const words = ['--cell', 'delivery=idt', '--graph', dot, '--events', 'nmi,db']
    await explored(NMI, ...words)
    const text = readFileSync(dot, 'utf8')
    expect(text).toMatch(/^digraph "Events in an NMI handler of four instructions \(idt\)" \{/)
    expect(text).toMatch(/label="NMI"/)
    expect(text).toContain('fillcolor="#ffb3b3"')
    expect((await trapframe('explore', NMI, '--graph', 'out.svg')).err).toContain('dot -Tsvg out.dot -o out.svg')
  })

  test('--workers without a built package: it is said, and one process searches', async () => {
    const words = [NMI, '--cell', 'delivery=idt', '--json', '--out', folderWith({}), '--workers', '2']
    const { code, out, err } = await trapframe('explore', ...words)
    expect(err).toContain('no built package to start workers from, so one process searches')
    expect([code, JSON.parse(out).complete]).toEqual([1, true])
  })

  test('Ctrl-C: what is known is printed, exit 130', async () => {
    const slow = file(readFileSync(join(scenarios, 'xen-everywhere.yaml'), 'utf8').replace('depth: 1', 'depth: 3'))
    const timer = setTimeout(() => process.emit('SIGINT'), 700)
    const { code, found } = await explored(slow, '--cell', 'delivery=fred', '--cell', 'revision=rfc')
    clearTimeout(timer)
    expect([code, found.complete]).toEqual([130, false])
    expect(found.cells[0]!.stopped).toEqual(['aborted'])
    expect(found.states).toBeGreaterThan(0)
  })
})

describe('checkpoints', () => {
  const cell = ['--cell', 'delivery=fred']

  test('a search that was cut short goes on from its file, and finds and counts what an undisturbed one does', async () => {
    const checkpoint = join(folderWith({}), 'nmi.checkpoint')
    const whole = await explored(NMI, ...cell)
    const first = await explored(NMI, ...cell, '--max-states', '400', '--checkpoint', checkpoint)
    expect([first.code, first.found.complete]).toEqual([0, false])
    const second = await explored(NMI, ...cell, '--resume', checkpoint)
    const facts = ({ states, transitions, depth, complete }: Found) => ({ states, transitions, depth, complete })
    expect(facts(second.found)).toEqual(facts(whole.found))
    expect(second.found.cells[0]!.coverage).toEqual(whole.found.cells[0]!.coverage)
  })

  test('it fits no other search, and nothing else is one', async () => {
    const checkpoint = join(folderWith({}), 'nmi.checkpoint')
    await explored(NMI, ...cell, '--max-states', '400', '--checkpoint', checkpoint)
    const other = await trapframe('explore', NMI, ...cell, '--depth', '2', '--resume', checkpoint)
    expect([other.code, other.err]).toEqual([2, expect.stringContaining('the checkpoint is of another search')])
    const none = await trapframe('explore', NMI, ...cell, '--resume', NMI)
    expect([none.code, none.err]).toEqual([2, expect.stringContaining('this is no checkpoint')])
  })
})

describe('mistakes', () => {
  test.each([
    [['--events', 'nmi,nim'], 'did you mean "nmi"'],
    [['--events', 'interrupt'], 'write interrupt:0x21'],
    [['--events', 'interrupt:256'], '0 to 255'],
    [['--events', 'pf:nowhere'], 'unknown label "nowhere"'],
    [['--events', 'nmi,nmi'], 'is there twice'],
    [['--depth', 'three'], '--depth cannot be "three"'],
    [['--invariants', 'no-clobbering'], 'unknown invariant "no-clobbering"'],
    [['--event-cpus', '3'], 'the machine has 1'],
    [['--cell', 'delivery=apic'], 'no cell is selected'],
    [['--strategy', 'breadth'], 'did you mean "breadth-first"'],
    [['--checkpoint', 'x'], 'is for one cell'],
    [['--workers', '257'], 'a whole number from 1 to 256'],
    [['--workers', '2', '--strategy', 'iterative-deepening'], 'cannot search iterative-deepening'],
  ])('%j', async (words, told) => {
    const { code, err } = await trapframe('explore', NMI, '--out', folderWith({}), ...words)
    expect(code).toBe(2)
    expect(err).toContain(told)
  })

  test.each([
    ['events: nim', 'did you mean "nmi"'],
    ['eventCpus: [3]', 'the machine has 1'],
    ['end: nowhere', 'unknown label "nowhere"'],
    ['regions: { from: guest, to: guest }', 'is empty'],
    ['invariants: no-clobbering', 'known are crash-note'],
    ['expect: [{ keeps: no-clober }]', 'did you mean "no-clobber"'],
    ['reductions: kexek', 'unknown reduction "kexek"'],
    ['reductions: kexec', 'is about Xen with kexec'],
  ])('of the scenario are told at their place: %s', async (entry, told) => {
    const text = ['name: x', 'machine: { host: flat-fred }', 'guest: nop', 'explore:', `  ${entry}`].join('\n')
    const { code, err } = await trapframe('explore', file(text), '--out', folderWith({}))
    expect(code).toBe(2)
    expect(err).toMatch(new RegExp(`s\\.yaml:5:${5 + entry.indexOf(':')} `))
    expect(err).toContain(told)
  })

  test.each([
    ['- crash: {}', '', 'needs a crash image'],
    ['- ipis: chosen', '', 'setup: [{ ipis: chosen }]'],
    ['ipis: chosen', 'ipis: sometimes', 'possible: at-step, chosen'],
  ])('of the shootdown: "%s" as "%s"', async (from, to, told) => {
    const text = readFileSync(join(scenarios, 'kexec-shootdown.yaml'), 'utf8').replace(from, to)
    const { code, err } = await trapframe('explore', file(text), '--cell', 'cpus=2', '--cell', 'revision=rfc')
    expect(code).toBe(2)
    expect(err).toMatch(/s\.yaml:\d+:\d+ /)
    expect(err).toContain(told)
  })

  test('an unknown key of the section is told at its place', async () => {
    const { code, err } = await trapframe('explore', file('name: x\nexplore: { evnts: [nmi] }'))
    expect(code).toBe(2)
    expect(err).toMatch(/s\.yaml:2:12/)
  })
})
