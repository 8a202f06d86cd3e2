import { readFileSync } from 'node:fs'
import { createMachine } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { runText } from '../../test/scenario-text.js'
import { officialPlugins } from '../session/plugins.js'
import { EXPECTATIONS, INJECTIONS, SETUPS } from '../verbs/slots.js'
import { FILE, MACHINE, MOMENT } from './grammar.js'

const page = readFileSync(new URL('../../../../docs/scenarios.md', import.meta.url), 'utf8')

/** First cells of the rows of a chapter's tables, as far as they are code. */
function documented(chapter: string): string[] {
  const text = page.split(`\n## ${chapter}\n`)[1]?.split('\n## ')[0] ?? ''
  return [...text.matchAll(/^\| (`[^|]+`)\s*\|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`([^`]+)`/g)].map(([, word]) => word!),
  )
}

describe('docs/scenarios.md is true to the grammar', () => {
  test.each([
    ['The file', Object.keys(FILE.shape)],
    ['Machine', Object.keys(MACHINE.shape)],
    ['Inject', Object.keys(MOMENT.shape).filter((key) => !['occurrence', 'cpu'].includes(key))],
  ])('keys of "%s"', (chapter, keys) => {
    expect(documented(chapter)).toEqual(expect.arrayContaining(keys))
  })

  const machine = createMachine({ cpu: 'panther-lake', plugins: officialPlugins() })
  test.each([
    ['Setup', SETUPS],
    ['Inject', INJECTIONS],
    ['Expect', EXPECTATIONS],
  ] as const)('verbs of "%s"', (chapter, slot) => {
    const names = machine.contributions<unknown>(slot as never).map(({ name }) => name)
    expect(names.length).toBeGreaterThan(3)
    expect(documented(chapter)).toEqual(expect.arrayContaining(names))
  })

  test('its example runs and passes', async () => {
    const example = /```yaml\n(.*?)```/s.exec(page)![1]!
    const cells = await runText(example)
    expect(cells.map(({ result }) => [result.name, result.passed])).toEqual([
      ['idt, ist: true', true],
      ['idt, ist: false', true],
      ['fred, ist: true', true],
    ])
  })
})
