import { writeFile } from 'node:fs/promises'
import { version } from '../../package.json'
import { UsageError } from '../error/usage-error.js'
import type { Followed } from '../follow/follow-scenario.js'
import type { Scenario } from '../scenario/scenario.js'
import { readAssets } from './assets.js'
import { renderPage } from './render.js'
import { reportData } from './scenario-data.js'

/** Writes one page about scenarios that were followed. Returns its size in bytes. @throws UsageError where it cannot be written */
export async function writeReport(
  to: string,
  scenarios: readonly (readonly [scenario: Scenario, followed: readonly Followed[]])[],
): Promise<number> {
  const page = Buffer.from(renderPage(reportData(scenarios, `trapframe ${version}`), await readAssets()), 'utf8')
  try {
    await writeFile(to, page)
  } catch (error) {
    throw new UsageError(`${to} cannot be written: ${(error as Error).message}`, undefined, error)
  }
  return page.length
}
