import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { runScenario } from './run-scenario.js'

const FOLDER = 'scenarios/classic'
/** Bugs of gates and of the TSS, which FRED does not read: their scenarios have cells for the IDT alone. */
const IDT_ONLY = new Set(['gate-checks', 'short-tss'])

const scenarios = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => file.replace('.yaml', ''))

describe('A18: the debt that FRED removes, as classic bugs that run under both deliveries', () => {
  test.each(scenarios)('%s', async (name) => {
    const { cells } = await runScenario(`${FOLDER}/${name}.yaml`)
    expect(cells.filter((cell) => !cell.passed).map((cell) => cell.name)).toEqual([])
    const deliveries = new Set(cells.map(({ axes }) => axes.delivery))
    expect(deliveries).toEqual(new Set(IDT_ONLY.has(name) ? [undefined] : ['idt', 'fred']))
  })
})
