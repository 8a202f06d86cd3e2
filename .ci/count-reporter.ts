import { DefaultReporter, type Reporter } from 'vitest/node'

type RunEnd = Parameters<NonNullable<Reporter['onTestRunEnd']>>

/**
 * The default reporter, and after its summary the reasons of what was skipped, and `N passed, N failed` alone on the last
 * line. A file that did not load counts as one failure, and so do a suite whose hooks failed and an error outside of every
 * test: no failure is lost in the sum.
 */
export default class CountReporter extends DefaultReporter {
  override onTestRunEnd(...[modules, errors, reason]: RunEnd): void {
    super.onTestRunEnd(modules, errors, reason)
    let passed = 0
    let failed = errors.length
    let skipped = 0
    const reasons = new Set<string>()
    for (const module of modules) {
      let failedHere = module.errors().length > 0 ? 1 : 0
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length > 0) failedHere += 1
      }
      for (const test of module.children.allTests()) {
        const result = test.result()
        if (result.state === 'passed') passed += 1
        else if (result.state === 'skipped') {
          skipped += 1
          if (result.note) reasons.add(result.note)
        } else failedHere += 1
      }
      failed += failedHere === 0 && !module.ok() ? 1 : failedHere
    }
    for (const reason of reasons) process.stdout.write(`skipped: ${reason}\n`)
    process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)
  }
}
