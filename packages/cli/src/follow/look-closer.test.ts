import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { drawExplained } from '../explain/draw-explained.js'
import { main } from '../main.js'
import { loadScenario } from '../run/load-scenario.js'
import { memoryTerminal } from '../terminal/terminal.js'
import { followScenario } from './follow-scenario.js'

const gap = fileURLToPath(new URL('../../../../scenarios/nmi-in-syscall-gap.yaml', import.meta.url))
const reentry = fileURLToPath(new URL('../../../../scenarios/classic/nmi-reentry.yaml', import.meta.url))

describe('--explain', () => {
  test('X7, A1: the NMI in the SYSCALL gap, by its checks with their values and sections', async () => {
    const { scenario } = await loadScenario(gap)
    const text = drawExplained(scenario, await followScenario(scenario), memoryTerminal({ columns: 120 }).out)
    expect(text).not.toContain('\u001b')
    expect(text).toContain('→ 3  stack        RSP 0x7fff0000, the caller’s: guest memory 7fff0000  [SDM 2B SYSCALL]')
    expect(text).toMatch(/✓ 1–5 +entry point {2}gate 2 at 0x[0-9a-f]+: interrupt gate, present, IST 2/)
    expect(text).toContain('the gate names IST2')
    expect(text).toContain('neither IST nor a change of rings: the frame goes on the current stack, RSP 0x7fff0000')
    expect(text).toContain('IA32_FRED_STKLVLS[5:4] is 0 for vector 2; current level 0: level 0')
    expect(text).toContain('further NMIs are blocked until a return with the frame’s NMI bit')
    for (const line of text.split('\n')) expect([...line].length).toBeLessThanOrEqual(122)
  })

  test('--explain goes to stderr where stdout has one JSON object', async () => {
    const terminal = memoryTerminal()
    expect(await main(['compare', reentry, '--json', '--explain'], terminal)).toBe(0)
    expect(() => JSON.parse(terminal.text.out)).not.toThrow()
    expect(terminal.text.err).toContain('IRET')
  })

  test('--html wants the name of a page', async () => {
    const terminal = memoryTerminal()
    expect(await main(['compare', reentry, '--html', 'out.yaml'], terminal)).toBe(2)
    expect(terminal.text.err).toContain('write --html out.yaml.html')
  })
})

describe('a trail', () => {
  test('keeps the first and the last steps of a long run, and counts what it left out', async () => {
    const { scenario } = await loadScenario(gap)
    const [{ trail, run }] = (await followScenario(scenario, { most: 20 })) as [
      Awaited<ReturnType<typeof followScenario>>[0],
    ]
    expect(trail.head.length + trail.tail.length).toBe(20)
    expect(trail.omitted).toBe(run.steps - 20)
    expect(trail.head[0]!.step.number).toBe(1)
    expect(trail.tail.at(-1)!.step.number).toBe(run.steps)
  })

  test('CVE-2015-3290: two live frames at one address are told apart', async () => {
    const { scenario } = await loadScenario(reentry)
    const followed = await followScenario(scenario)
    const { trail } = followed.find(({ cell }) => cell.name === 'idt, ist: 2')!
    const both = trail.head.find(({ live }) => live.length === 2 && trail.deliveries[live[1]![0]]!.event === 'NMI')!
    const [older, newer] = both.live.map(([n]) => trail.deliveries[n]!)
    expect(older!.number).toBeLessThan(newer!.number)
    expect(older!.frame.address).toBe(newer!.frame.address)
  })
})
