import { contractFindings } from '@trapframe/core/testing'
import { describe, expect, test } from 'vitest'
import { OWN_REPORTERS } from '../report/plugin.js'
import type { ReporterKind } from '../report/reporter.js'
import { reporterContract } from './reporter-contract.js'

describe.each(Object.entries(OWN_REPORTERS))('the reporter %s keeps the contract', (_name, reporter) => {
  for (const { title, skip, run } of reporterContract({ reporter })) test(title, { skip }, run)
})

test('the contract of reporters finds what is wrong with one', () => {
  let runs = 0
  const bad: ReporterKind = {
    summary: '',
    create: ({ write }) => ({
      end: ({ totals }) => {
        runs++
        write(`\u001b[31m${runs}`)
        write(totals as unknown as string)
      },
    }),
  }
  expect(contractFindings(reporterContract({ reporter: bad })).map((one) => one.split(':')[0])).toEqual([
    'listed',
    'text',
    'no-colour',
    'repeatable',
    'ends-lines',
  ])
})
