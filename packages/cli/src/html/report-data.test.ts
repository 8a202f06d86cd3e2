import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { followScenario } from '../follow/follow-scenario.js'
import { loadScenario } from '../run/load-scenario.js'
import { pictureOf } from './page/picture.js'
import { registerValue, stateAt, Walk } from './page/walk.js'
import type { ReportData, ScenarioData } from './report-data.js'
import { reportData } from './scenario-data.js'

const file = (name: string): string => fileURLToPath(new URL(`../../../../scenarios/${name}.yaml`, import.meta.url))

async function dataOf(name: string): Promise<ReportData> {
  const { scenario } = await loadScenario(file(name))
  return reportData([[scenario, await followScenario(scenario)]], 'test')
}

let report: ReportData
let gap: ScenarioData
beforeAll(async () => {
  report = await dataOf('nmi-in-syscall-gap')
  gap = report.scenarios[0]!
})

describe('X7: what the page is given about the SYSCALL gap', () => {
  test('a view for the pair, and one for the cell that has none', () => {
    expect(gap.views.map(({ title, columns, cells }) => ({ title, columns, cells }))).toEqual([
      { title: 'IDT and FRED, ist: true', columns: ['IDT', 'FRED'], cells: [0, 2] },
      {
        title: 'idt, ist: false, next to idt, ist: true',
        columns: ['idt, ist: true', 'idt, ist: false'],
        cells: [0, 1],
      },
    ])
  })

  test('every step of both runs is in the rows, once', () => {
    const { rows, cells } = gap.views[0]!
    cells.forEach((n, column) => {
      expect(rows.flatMap(({ at }) => at[column] ?? [])).toEqual(gap.cells[n]!.trail.map((_, place) => place))
    })
  })

  test('registers that changed lead from the start to the end', () => {
    const cell = gap.cells[0]!
    const end = stateAt(cell, cell.trail.length - 1)
    expect(registerValue(cell, end, 'RSP')).toBe(0x7fff_0000n)
    expect(registerValue(cell, end, 'CPL')).toBe(3n)
    expect(registerValue(cell, stateAt(cell, -1), 'CPL')).toBe(3n)
    expect(registerValue(cell, stateAt(cell, 1), 'CPL')).toBe(0n)
  })

  test('the violation is a step’s, and said to be expected', () => {
    const cell = gap.cells[1]!
    const step = cell.trail.find(({ violated }) =>
      violated?.some((n) => cell.violations[n]!.invariant === 'good-stack'),
    )!
    expect(step.n).toBe(3)
    expect(cell.violations.find(({ invariant }) => invariant === 'good-stack')).toMatchObject({
      step: 3,
      expected: true,
    })
  })

  test('explanations belong to procedures with as many steps', () => {
    for (const { trail } of gap.cells) {
      for (const { by, verdicts, words } of trail.flatMap(({ explained }) => explained ?? [])) {
        expect(verdicts.length).toBe(report.procedures[by]!.steps.length)
        for (const [step] of words) expect(step).toBeLessThan(verdicts.length)
      }
    }
  })
})

describe('the stack picture', () => {
  const boxesAt = (cell: number, place: number) => {
    const data = gap.cells[cell]!
    return pictureOf(data, stateAt(data, place), data.trail[place]!.strayed)
  }

  test('X6: the NMI’s frame on its IST stack, field by field, RSP below it', () => {
    const box = boxesAt(0, 2).find(({ name }) => name === 'NMI')!
    expect(box.lines.map(({ left }) => left)).toEqual(['NMI frame', 'SS', 'RSP', 'RFLAGS', 'CS', 'RIP'])
    expect(box.lines.at(-1)).toMatchObject({ middle: 'syscall_entry' })
    expect(box.markers).toEqual([{ name: 'RSP', after: 6, value: box.bottom! + 0xfd8n }])
  })

  test('without IST it lies in the guest’s memory, in a box of its own', () => {
    const box = boxesAt(1, 2).at(-1)!
    expect(box).toMatchObject({ kind: 'elsewhere', name: 'guest memory' })
    expect(box.lines[0]).toMatchObject({ left: 'NMI frame', right: '40 bytes' })
    expect(box.markers).toMatchObject([{ name: 'RSP' }])
  })

  test('A13: FRED’s two frames, one below the other, and what software pushed below', () => {
    const box = boxesAt(2, 3).find(({ name }) => name === 'primary')!
    expect(box.lines.filter(({ kind }) => kind === 'frame').map(({ left }) => left)).toEqual([
      'SYSCALL frame',
      'NMI frame',
    ])
    expect(box.lines.at(-1)).toMatchObject({ kind: 'software', left: '8 bytes of software' })
  })

  test('ring 3’s own stack is no mistake', () => {
    const data = gap.cells[0]!
    expect(pictureOf(data, stateAt(data, 0), data.trail[0]!.strayed).at(-1)).toMatchObject({ kind: 'user' })
  })
})

describe('walking through the rows', () => {
  const walk = (view = 0): Walk => new Walk(gap, gap.views[view]!)

  test('from before the first step to the last, and no further', () => {
    const one = walk()
    expect(one.row).toBe(-1)
    one.move(1)
    expect(one.row).toBe(0)
    one.move(-5)
    expect(one.row).toBe(-1)
    one.move(10_000)
    expect(one.row).toBe(one.view.rows.length - 1)
  })

  test('a filter keeps the row that is looked at, or goes to the next one that is left', () => {
    const one = walk()
    one.row = 20
    one.select('events', '')
    expect(one.visible).toContain(one.row)
    expect(one.visible.length).toBeLessThan(12)
    expect(one.visible.every((row) => one.isEvent(row) || one.isReturn(row) || one.isViolation(row))).toBe(true)
  })

  test('a search looks at code, places, events and step numbers; all words count', () => {
    const one = walk()
    one.select('all', 'IRETQ')
    expect(one.visible.length).toBe(1)
    one.select('all', 'nmi syscall_entry')
    expect(one.visible.length).toBeGreaterThan(0)
    one.select('all', 'no such thing')
    expect(one.visible).toEqual([])
    one.move(1)
  })

  test('violations are found', () => {
    const one = walk(1)
    expect(one.seek(one.isViolation, 1)).toBe(true)
    expect(one.stepsOf(one.row)[1]!.violated).toBeDefined()
  })
})
