// Markdown files of the repository as the checks and the site see them: headings with their anchors, links, code blocks.
import { spawnSync } from 'node:child_process'
import MarkdownIt from 'markdown-it'

const parser = new MarkdownIt({ html: true })

/** Paths of all Markdown files that belong to the repository, those not committed yet included. */
export function markdownFiles() {
  const { stdout, status } = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '-z', '--', '*.md'], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error('git cannot list the files')
  return [...new Set(stdout.split('\0'))].filter((path) => path !== '' && !path.startsWith('.changeset/')).sort()
}

/** Anchor of a heading as Git hosts make it: lower case, punctuation left out, spaces to hyphens. */
export function slug(text) {
  return text
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')
}

/** Hands out anchors for the headings of one page: a second one of the same text gets -1. */
export function anchors() {
  const seen = new Map()
  return (text) => {
    const base = slug(text)
    const times = seen.get(base) ?? 0
    seen.set(base, times + 1)
    return times === 0 ? base : `${base}-${times}`
  }
}

/** What stands in a page: `anchors` that a link can name, `links` with their lines, and fenced `blocks`. */
export function readMarkdown(text) {
  const anchor = anchors()
  const page = { title: undefined, anchors: new Set(), links: [], blocks: [] }
  const tokens = parser.parse(text, {})
  let line = 1
  tokens.forEach((token, at) => {
    // The cells of a table have no lines of their own.
    line = token.map ? token.map[0] + 1 : line
    if (token.type === 'heading_open') {
      const heading = tokens[at + 1].children.map(({ content }) => content).join('')
      page.title ??= heading
      page.anchors.add(anchor(heading))
    }
    if (token.type === 'fence') page.blocks.push({ info: token.info.trim(), text: token.content, line })
    for (const one of [token, ...(token.children ?? [])]) {
      const target = one.attrGet('href') ?? one.attrGet('src')
      if (target !== null) page.links.push({ target, line })
      if (one.type.startsWith('html')) {
        for (const [, id] of one.content.matchAll(/<a\s[^>]*?(?:id|name)="([^"]+)"/g)) page.anchors.add(id)
      }
    }
  })
  return page
}

/** Whether a link leads out of the repository. */
export const isExternal = (target) => /^[a-z][a-z+.-]*:/i.test(target)
