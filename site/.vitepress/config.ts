import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitepress'
import { slug } from '../../.ci/markdown.mjs'
import { chapters } from '../pages.mjs'

interface ApiPackage {
  readonly name: string
  readonly pages: readonly { readonly path: string; readonly title: string }[]
}

const pages = join(import.meta.dirname, '../.pages')
const api: readonly ApiPackage[] = JSON.parse(readFileSync(join(pages, 'api.json'), 'utf8'))
const apiLink = (path: string): string => `/api/${path.replace(/(index)?\.md$/, '')}`

const apiItems = api.map(({ name, pages: [first, ...rest] }) => ({
  text: name,
  link: apiLink(first!.path),
  ...(rest.length > 0
    ? { collapsed: true, items: rest.map(({ path, title }) => ({ text: title, link: apiLink(path) })) }
    : {}),
}))

export default defineConfig({
  title: 'trapframe',
  description: 'An executable laboratory for x86-64 event delivery: IDT and FRED, side by side',
  lang: 'en',
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  base: process.env.SITE_BASE ?? '/',
  srcDir: '.pages',
  outDir: 'dist',
  cacheDir: '.cache',
  metaChunk: true,
  markdown: {
    // Braces in prose are text; see api.mjs.
    attrs: { leftDelimiter: '{:', rightDelimiter: ':}' },
    anchor: { slugify: slug },
    toc: { slugify: slug },
    languageAlias: { nasm: 'asm' },
  },
  themeConfig: {
    outline: [2, 3],
    search: { provider: 'local', options: { detailedView: true } },
    nav: [
      { text: 'Docs', link: '/docs/', activeMatch: '^/docs/' },
      { text: 'Scenarios', link: '/docs/scenario-index' },
      { text: 'API', link: '/docs/api', activeMatch: '^/api/' },
    ],
    sidebar: [
      ...chapters().map(({ title, pages }) => ({
        text: title,
        items: pages.map(({ title, link }) => ({ text: title, link })),
      })),
      { text: 'API', collapsed: true, items: apiItems },
    ],
    docFooter: { prev: 'Before', next: 'Next' },
  },
})
