import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'
import { main } from '../main.js'
import { width } from '../terminal/style.js'
import { memoryTerminal } from '../terminal/terminal.js'

const GAP = `name: NMI in the SYSCALL gap
matrix: { delivery: [idt, fred], ist: [true, false] }
exclude: [{ delivery: fred, ist: false }]
machine: { delivery: "$\{delivery}", options: { ist: "$\{ist}", smap: false, shadowStacks: false } }
guest: |
  start:
    mov   rsp, 0x7fff0000
    syscall
  back:
inject: [{ event: nmi, at: { label: syscall_entry } }]
expect:
  - { unless: { ist: false }, outcome: done }
  - { when: { ist: false }, violates: good-stack }
`

const gap = (): string => join(folderWith({ 'gap.yaml': GAP }), 'gap.yaml')

describe('compare', () => {
  test('shows the gap under the IDT and none under FRED, side by side (X7)', async () => {
    const { code, out, err } = await trapframe('compare', gap())
    expect([code, err]).toEqual([0, ''])
    const rows = out.split('\n').map((line) => line.trim().replace(/\s{2,}/g, '  '))
    expect(rows).toContain('IDT  FRED')
    expect(rows).toContain('syscall  2  → syscall_entry  CPL 0  2  → entry_FRED_R3  CPL 0  SL0')
    expect(rows).toContain("RSP 7fff0000, still the guest's ✗  SL0: primary …7f80, 64-byte frame")
    expect(rows).toContain('↯ NMI  3  → entry_NMI  CPL 0  3  → entry_FRED_R0  CPL 0  SL0')
    expect(rows).toContain('IST2: NMI …2fd8, 40-byte frame  same stack: primary …7f40, 64-byte frame')
    expect(rows).toContain('≠ RSP on entry to ring 0  guest memory 7fff0000  primary stack …7f80')
    expect(rows).toContain('≠ returns  iretq, sysretq  erets, eretu')
    expect(rows).toContain('≠ NMI frame  40 bytes on NMI stack …2fd8  64 bytes on primary stack …7f40')
    expect(out).toMatch(/≠ ring 0 steps in the gap +7 +0\n/)
    expect(out).toMatch(/≠ table reads in deliveries +\d+, \d+ bytes +none\n/)
    expect(out).toMatch(/= registers at the end +RIP back, RSP 7fff0000, RFLAGS 202, /)
  })

  test('shows a cell without a counterpart by what it does otherwise, and the sum at the end', async () => {
    const { out } = await trapframe('compare', gap())
    expect(out).toContain('  idt, ist: false  where it differs from idt, ist: true\n')
    expect(out).toContain('same stack: guest memory 7ffeffd8, 40-byte frame ✗\n')
    expect(out).toContain('✗ good-stack: NMI frame written to 7ffeffd8, guest memory, at step 3 (as expected)\n')
    expect(out).toMatch(/\n {2}2 passed, 1 violated as expected\n\n$/)
  })

  test.each([80, 100, 150, 400])('fits %d columns', async (columns) => {
    const terminal = memoryTerminal({ columns })
    await main(['compare', gap()], terminal)
    const lines = terminal.text.out.split('\n')
    const widest = Math.max(...lines.filter((line) => !line.includes('good-stack')).map(width))
    expect(widest).toBeLessThanOrEqual(Math.min(columns, 150))
    expect(lines.every((line) => line === line.trimEnd())).toBe(true)
  })

  test('in colour it says the same', async () => {
    const file = gap()
    const [plain, painted] = [memoryTerminal(), memoryTerminal({ color: true })]
    await main(['compare', file], plain)
    await main(['compare', file], painted)
    expect(painted.text.out).toContain('\u001b[')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what it takes away
    expect(painted.text.out.replace(/\u001b\[[0-9;]*m/g, '').replace(/ +$/gm, '')).toBe(plain.text.out)
  })

  test('--json has the rows, the facts and every delivery', async () => {
    const { out } = await trapframe('compare', gap(), '--json')
    const report = JSON.parse(out)
    expect(report).toMatchObject({ name: 'NMI in the SYSCALL gap', passed: true })
    expect(report.comparisons).toHaveLength(1)
    expect(report.comparisons[0].cells).toEqual(['idt, ist: true', 'fred, ist: true'])
    expect(report.comparisons[0].rows[2]).toMatchObject({ label: '↯ NMI', cells: [{ step: 3 }, { step: 3 }] })
    expect(report.comparisons[0].facts).toContainEqual({
      name: 'ring 0 steps in the gap',
      equal: false,
      values: ['7', '0'],
    })
    expect(report.cells.map(({ name }: { name: string }) => name)).toEqual([
      'idt, ist: true',
      'idt, ist: false',
      'fred, ist: true',
    ])
    expect(report.cells[1].deliveries[0]).toMatchObject({
      event: 'NMI',
      frame: { address: '0x7ffeffd8', bytes: 40, region: 'guest' },
    })
  })

  test('an expectation that fails makes the exit code 1, and is shown at its place', async () => {
    const file = join(folderWith({ 'gap.yaml': GAP.replace('outcome: done', 'outcome: halted') }), 'gap.yaml')
    const { code, out } = await trapframe('compare', file)
    expect(code).toBe(1)
    expect(out).toContain(`${file}:12:31  outcome\n        expected  outcome halted\n        actual    done after `)
    expect(out).toContain('2 failed')
  })

  test('a fault during a delivery, the double fault and where the host ends', async () => {
    const text = GAP.replace('smap: false', 'smap: true')
      .replace('outcome: done', 'cpl: 3')
      .replace('violates: good-stack', 'outcome: halted')
    const { out } = await trapframe('compare', join(folderWith({ 'gap.yaml': text }), 'gap.yaml'))
    expect(out).toContain('#PF (error code 3) while delivering NMI ✗\n')
    expect(out).toContain('#PF (error code 3) while delivering #PF ✗\n')
    expect(out).toContain('#DF → entry_DF  CPL 0\n')
    expect(out).toContain('IST4: #DF …4fd0, 48-byte frame\n')
    expect(out).toMatch(/do_double_fault +\d+ {2}on #DF stack/)
    expect(out).toMatch(/end +\d+ {2}halted at panic_stop/)
  })

  test('many instructions in a row that have nothing to say are cut short', async () => {
    const text = `name: x\nmatrix: { delivery: [idt, fred] }\nmachine: { host: "flat-$\{delivery}", delivery: "$\{delivery}" }\nguest: |\n${'  nop\n'.repeat(9)}`
    const { out } = await trapframe('compare', join(folderWith({ 'nops.yaml': text }), 'nops.yaml'))
    expect(out.match(/\bnop\b/g)).toHaveLength(2)
    expect(out).toContain('… 7 more\n')
  })

  test.each([
    ['name: x\n', '1:1', 'there is nothing to compare: the matrix has no axis "delivery"'],
    ['name: x\nmatrix: { a: [1, 2] }\n', '2:1', 'there is nothing to compare: the matrix has no axis "delivery"'],
    ['name: x\nmatrix: { delivery: [idt] }\n', '2:1', 'no two cells of the matrix differ only in "delivery"'],
  ])('%j has nothing to compare', async (text, at, message) => {
    const { code, err } = await trapframe('compare', join(folderWith({ 'x.yaml': text }), 'x.yaml'))
    expect(code).toBe(2)
    expect(err).toContain(`x.yaml:${at}  ${message}\n`)
  })
})
