import { DefaultReporter, type Reporter } from 'vitest/node'

type RunEnd = Parameters<NonNullable<Reporter['onTestRunEnd']>>

/**
 * The default reporter, and after its summary `N passed, N failed` alone on the last line. A file that did not load counts
 * as one failure, and so do a suite whose hooks failed and an error outside of every test: no failure is lost in the sum.
 */
export default class CountReporter extends DefaultReporter {
  override onTestRunEnd(...[modules, errors, reason]: RunEnd): void {
    super.onTestRunEnd(modules, errors, reason)
    let passed = 0
    let failed = errors.length
    let skipped = 0
    for (const module of modules) {
      let failedHere = module.errors().length > 0 ? 1 : 0
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length > 0) failedHere += 1
      }
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed += 1
        else if (state === 'skipped') skipped += 1
        else failedHere += 1
      }
      failed += failedHere === 0 && !module.ok() ? 1 : failedHere
    }
    process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)
  }
}
