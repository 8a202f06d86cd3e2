// Every link of every Markdown file to a file, a folder or a heading of this repository leads somewhere, and docs/README.md
// lists every page of docs. Works without a network: links to other places are only counted, or with `--external` listed.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { isExternal, markdownFiles, readMarkdown } from './markdown.mjs'

const files = markdownFiles().filter((path) => existsSync(path))
const pages = new Map(files.map((path) => [path, readMarkdown(readFileSync(path, 'utf8'))]))
const broken = []
const external = []
let internal = 0

for (const [path, page] of pages) {
  for (const { target, line } of page.links) {
    if (isExternal(target)) {
      external.push(`${target}  ${path}:${line}`)
      continue
    }
    internal += 1
    const problem = problemOf(path, decodeURIComponent(target))
    if (problem) broken.push(`${path}:${line}  ${target}: ${problem}`)
  }
}

const index = pages.get('docs/README.md')
const listed = new Set(index.links.map(({ target }) => normalize(join('docs', target.split('#')[0]))))
for (const path of files) {
  if (/^docs\/.*\.md$/.test(path) && path !== 'docs/README.md' && !listed.has(path))
    broken.push(`docs/README.md does not list ${path}`)
}

if (process.argv.includes('--external')) for (const one of external.sort()) console.log(one)
for (const one of broken) console.error(one)
console.log(
  `${files.length} pages, ${internal} links inside of the repository, ${broken.length} broken; ${external.length} to elsewhere, not followed`,
)
process.exitCode = broken.length === 0 ? 0 : 1

function problemOf(path, target) {
  const [file, anchor] = target.split('#')
  if (file.startsWith('/')) return 'is absolute: it would lead elsewhere on a Git host'
  const to = file === '' ? path : normalize(join(dirname(path), file))
  if (to.startsWith('..')) return 'leaves the repository'
  if (!existsSync(to)) return `${to} does not exist`
  if (!anchor) return undefined
  const page = pages.get(statSync(to).isDirectory() ? join(to, 'README.md') : to)
  if (page === undefined) return /^L\d+/.test(anchor) ? undefined : `${to} has no headings`
  return page.anchors.has(anchor) ? undefined : nearest(anchor, page.anchors)
}

/** The heading that was probably meant: the one that shares the most words. */
function nearest(anchor, known) {
  const words = new Set(anchor.split('-'))
  const shared = (one) => one.split('-').filter((word) => words.has(word)).length
  const best = [...known].sort((one, other) => shared(other) - shared(one))[0]
  return `no such heading${best && shared(best) > 0 ? `; did you mean #${best}?` : ''}`
}
