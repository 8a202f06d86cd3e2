import { createHash } from 'node:crypto'
import type { ReportData } from './report-data.js'

/** The page's script and style, as they were built. */
export interface PageAssets {
  readonly script: string
  readonly style: string
}

/** Text inside of an element or of an attribute in double quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`)
}

/**
 * JSON that can stand inside of a script element: no `<` is left that could end it or open a comment, and no line
 * separator that old readers stumble over.
 */
export function embeddedJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}'`

/**
 * One self-contained page. Only its own script and style may run, by their hashes; it may fetch nothing at all, and its script
 * may not turn text into markup.
 */
export function renderPage(data: ReportData, { script, style }: PageAssets): string {
  if (/<\/(script|style)/i.test(script) || /<\//.test(style))
    throw new Error('the page’s script or style would end its element')
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
  const [first] = data.scenarios
  const title = data.scenarios.length === 1 && first !== undefined ? first.name : `${data.scenarios.length} scenarios`
  return `<!doctype html>
<html lang="en" data-theme="auto">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="${escapeHtml(data.generator)}">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)} – trapframe</title>
<style>${style}</style>
</head>
<body>
<div id="page"></div>
<noscript>
<h1>${escapeHtml(title)}</h1>
<p>The steps of this report need JavaScript. What became of the scenario:</p>
${data.scenarios.map(summaryOf).join('\n')}
</noscript>
<script type="application/json" id="report">${embeddedJson(data)}</script>
<script>${script}</script>
</body>
</html>
`
}

/** What can be read without the script. */
function summaryOf({ name, file, cells }: ReportData['scenarios'][number]): string {
  const items = cells.map((cell) => {
    const verdict = `${cell.passed ? 'passed' : 'failed'}: ${cell.outcome} after ${cell.steps} steps`
    const violations = cell.violations.map(({ invariant, message }) => `; ${invariant}: ${message}`).join('')
    return `<li>${escapeHtml(`${cell.name} ${verdict}${violations}`.trim())}</li>`
  })
  return `<h2>${escapeHtml(name)}</h2><p>${escapeHtml(file)}</p><ul>${items.join('')}</ul>`
}
