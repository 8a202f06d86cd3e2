import { readFile, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])(\.{1,2}\/[^'"\n]+)\1/g

/** What a specifier may stand for: TypeScript is imported by the name of what it becomes. */
const ENDINGS = ['', '.ts', '.mts', '.js', '.mjs', '/index.ts', '/index.js']

/** The files that a module imports by relative paths, and those that they import: what has to be watched with it. */
export async function localImports(module: string): Promise<string[]> {
  const found = new Set<string>()
  const queue = [resolve(module)]
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    const source = await readFile(file, 'utf8').catch(() => '')
    for (const [, , specifier] of source.matchAll(IMPORT)) {
      const target = await fileOf(resolve(dirname(file), specifier!))
      if (target === undefined || found.has(target) || target === resolve(module)) continue
      found.add(target)
      queue.push(target)
    }
  }
  return [...found]
}

async function fileOf(path: string): Promise<string | undefined> {
  const candidates = [...ENDINGS.map((ending) => path + ending), path.replace(/\.(m?)js$/, '.$1ts')]
  for (const candidate of candidates) {
    const entry = await stat(candidate).catch(() => undefined)
    if (entry?.isFile()) return candidate
  }
  return undefined
}
