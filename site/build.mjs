// Builds the site into site/dist, or with --dev serves it and follows changes of the docs. Needs no network.
//   node site/build.mjs [--dev] [--no-api]
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, createServer } from 'vitepress'
import { apiPages } from './api.mjs'
import { writePages } from './pages.mjs'

const HERE = import.meta.dirname
const PAGES = join(HERE, '.pages')
const start = Date.now()

process.chdir(join(HERE, '..'))
rmSync(PAGES, { recursive: true, force: true })
mkdirSync(PAGES)
const api = process.argv.includes('--no-api') ? [] : await apiPages(join(PAGES, 'api'))
writeFileSync(join(PAGES, 'api.json'), JSON.stringify(api))
writePages(PAGES)
const staged = Date.now()

if (process.argv.includes('--dev')) {
  const server = await createServer(HERE)
  await server.listen()
  server.printUrls()
  for (const folder of ['docs', 'packages', 'scenarios', 'examples']) watch(folder, { recursive: true }, follow)
} else {
  await build(HERE)
  const files = readdirSync(join(HERE, 'dist'), { recursive: true })
  const bytes = files.reduce((sum, path) => sum + statSync(join(HERE, 'dist', path)).size, 0)
  const pages = files.filter((path) => path.endsWith('.html')).length
  const seconds = (from, to) => ((to - from) / 1000).toFixed(1)
  console.log(
    `site/dist: ${pages} pages, ${(bytes / 1e6).toFixed(1)} MB; ${seconds(start, staged)} s to read, ${seconds(staged, Date.now())} s to build`,
  )
}

function follow(_change, path) {
  if (path?.endsWith('.md') && existsSync(PAGES)) writePages(PAGES)
}
