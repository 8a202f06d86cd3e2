// The repository's Markdown as pages of the site: the same files, with links to folders leading to their README, and links to
// other files leading to a page that shows the file.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, extname, join, normalize, posix } from 'node:path'
import { isExternal, markdownFiles, readMarkdown } from '../.ci/markdown.mjs'

const LANGUAGES = {
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.json': 'json',
  '.ts': 'ts',
  '.mts': 'ts',
  '.mjs': 'js',
  '.js': 'js',
  '.s': 'asm',
}
/** Files beyond this size are named, not shown. */
const SHOWN = 100_000

/** Writes every page into a folder. Run in the root of the repository. */
export function writePages(to) {
  const sources = markdownFiles().filter((path) => existsSync(path) && !path.startsWith('site/'))
  const shown = new Set()
  for (const path of sources) {
    const text = readFileSync(path, 'utf8')
    write(to, pageOf(path), withLinks(path, text, new Set(sources), shown))
  }
  for (const path of shown) write(to, `files/${path}.md`, filePage(path))
  write(to, 'index.md', `---\n${readFileSync(join(import.meta.dirname, 'home.yaml'), 'utf8')}---\n`)
}

/** Where a Markdown file of the repository stands on the site. */
export function pageOf(path) {
  if (path === 'README.md') return 'readme.md'
  return path.replace(/README\.md$/, 'index.md')
}

/** The chapters of docs/README.md, which are the sidebar: each heading with the pages that are listed under it. */
export function chapters() {
  const result = []
  for (const line of readFileSync('docs/README.md', 'utf8').split('\n')) {
    const heading = /^## (.*)/.exec(line)
    if (heading) result.push({ title: heading[1], pages: [] })
    const item = /^- \[([^\]]+)\]\(([^)#]+)\)/.exec(line)
    if (item && result.length > 0) {
      const path = normalize(join('docs', item[2]))
      const file = existsSync(path) && statSync(path).isDirectory() ? join(path, 'README.md') : path
      result.at(-1).pages.push({ title: item[1], link: `/${pageOf(file).replace(/(index)?\.md$/, '')}` })
    }
  }
  return result
}

function withLinks(path, text, sources, shown) {
  const from = pageOf(path)
  const targets = new Set(readMarkdown(text).links.map(({ target }) => target))
  return outsideOfCode(text, (prose) =>
    prose.replace(/\]\(([^)\s]+)\)/g, (link, target) => (targets.has(target) ? `](${moved(target)})` : link)),
  )

  function moved(target) {
    if (isExternal(target) || target.startsWith('#')) return target
    const [file, anchor] = target.split('#')
    const to = normalize(join(dirname(path), file))
    const page = [to, join(to, 'README.md')].find((one) => sources.has(one))
    if (page) return relativeLink(from, pageOf(page), anchor)
    if (!existsSync(to) || statSync(to).isDirectory()) return relativeLink(from, folderPage(to, sources))
    shown.add(to)
    return relativeLink(from, `files/${to}.md`)
  }
}

/** A folder without a README of its own is shown by the nearest one above. */
function folderPage(folder, sources) {
  const above = join(dirname(folder), 'README.md')
  return pageOf(sources.has(above) ? above : 'README.md')
}

function relativeLink(from, to, anchor) {
  const path = posix.relative(posix.dirname(from), to)
  return `${path.startsWith('.') ? path : `./${path}`}${anchor ? `#${anchor}` : ''}`
}

function outsideOfCode(text, change) {
  const parts = text.split(/^(```[^\n]*\n[\s\S]*?^```$)/m)
  return parts.map((part, at) => (at % 2 === 0 ? change(part) : part)).join('')
}

function filePage(path) {
  const { size } = statSync(path)
  const bytes = size <= SHOWN ? readFileSync(path) : Buffer.alloc(0)
  const readable = bytes.length > 0 && !bytes.includes(0)
  const language = LANGUAGES[extname(path)] ?? 'text'
  const body = readable
    ? `\`\`\`\`${language}\n${bytes.toString('utf8').trimEnd()}\n\`\`\`\``
    : `${size} bytes, not shown here.`
  return `---\noutline: false\nsearch: false\n---\n\n# ${posix.basename(path)}\n\n\`${path}\` of the repository.\n\n${body}\n`
}

function write(to, path, text) {
  mkdirSync(dirname(join(to, path)), { recursive: true })
  writeFileSync(join(to, path), text)
}
