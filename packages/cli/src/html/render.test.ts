import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { followScenario } from '../follow/follow-scenario.js'
import { parseScenario } from '../scenario/parse.js'
import { embeddedJson, escapeHtml, renderPage } from './render.js'
import type { ReportData } from './report-data.js'
import { reportData } from './scenario-data.js'

const EVIL = `</script><script>alert(1)</script><!--<img src=x onerror="alert('2')">&amp;\u2028`

/** A scenario in which everything that is text wants to be markup. */
const evil = (): ReturnType<typeof parseScenario> =>
  parseScenario(
    '</title><script>.yaml',
    [
      `name: ${JSON.stringify(EVIL)}`,
      `about: ${JSON.stringify(EVIL)}`,
      `refs: [${JSON.stringify(EVIL)}]`,
      `matrix: { delivery: [idt, fred], ${JSON.stringify('<b>')}: [${JSON.stringify(EVIL)}] }`,
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the scenario's own syntax
      'machine: { host: "flat-${delivery}" }',
      'guest: |',
      '  nop   ; </script><img src=x onerror=alert(3)>',
      '  nop',
    ].join('\n'),
  )

const assets = { script: 'document.title', style: 'body{}' }

async function evilData(): Promise<ReportData> {
  const scenario = evil()
  return reportData([[scenario, await followScenario(scenario)]], 'trapframe 0 <generator>')
}

describe('the page around the report', () => {
  test('text of a scenario never becomes markup', async () => {
    const page = renderPage(await evilData(), assets)
    expect(page.match(/<script/g)).toHaveLength(2)
    expect(page.match(/<\/script/g)).toHaveLength(2)
    expect(page).not.toMatch(/<img|<!--|<b>/)
    expect(embeddedJson(EVIL)).toMatch(/^[ -;=?-~]*$/)
  })

  test('what is embedded is read back as it was', async () => {
    const data = await evilData()
    const json = /<script type="application\/json" id="report">(.*?)<\/script>/s.exec(renderPage(data, assets))![1]!
    expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(data)))
    expect(data.scenarios[0]!.name).toBe(EVIL)
    expect(JSON.parse(embeddedJson(EVIL))).toBe(EVIL)
  })

  test('the policy allows the page’s own script and style by their hashes, and nothing from anywhere', async () => {
    const page = renderPage(await evilData(), assets)
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!
    const hash = (text: string): string => createHash('sha256').update(text).digest('base64')
    expect(policy.split('; ')).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        `script-src 'sha256-${hash(assets.script)}'`,
        `style-src 'sha256-${hash(assets.style)}'`,
        "require-trusted-types-for 'script'",
      ]),
    )
    expect(policy).not.toMatch(/unsafe|\*|https?:/)
    expect(page.replace(policy, '')).not.toMatch(/\b(src|href)="(?!data:)/)
  })

  test('a script that would end its element is refused', () => {
    const data = { generator: '', procedures: {}, scenarios: [] }
    expect(() => renderPage(data, { script: '"</script>"', style: '' })).toThrow('would end its element')
  })

  test('escapeHtml: the five letters', () => {
    expect(escapeHtml(`<a b="c" d='e'>&`)).toBe('&#60;a b=&#34;c&#34; d=&#39;e&#39;&#62;&#38;')
  })
})
