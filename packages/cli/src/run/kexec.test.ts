import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { runScenario } from './run-scenario.js'

const FOLDER = 'scenarios/kexec'

describe('K1, K2, K3, K4, D3: the shootdown with and without each precaution, under both deliveries', () => {
  test.each(readdirSync(FOLDER).filter((file) => file.endsWith('.yaml')))('%s', async (file) => {
    const { cells } = await runScenario(`${FOLDER}/${file}`)
    expect(cells.filter((cell) => !cell.passed).map((cell) => cell.name)).toEqual([])
    expect(new Set(cells.map(({ axes }) => axes.delivery))).toEqual(new Set(['idt', 'fred']))
  })
})
