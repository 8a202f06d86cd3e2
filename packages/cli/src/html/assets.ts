import { readFile } from 'node:fs/promises'
import { UsageError } from '../error/usage-error.js'
import type { PageAssets } from './render.js'

/** Where the built script and style are: beside the built command, or, seen from the sources, where the last build put them. */
const PLACES = ['./page/', '../../dist/page/']

/** Reads the page's script and style. @throws UsageError when the package was never built */
export async function readAssets(base: string = import.meta.url): Promise<PageAssets> {
  for (const place of PLACES) {
    const read = (name: string): Promise<string> => readFile(new URL(`${place}${name}`, base), 'utf8')
    try {
      const [script, style] = await Promise.all([read('report.js'), read('report.css')])
      return { script: script.trim(), style: style.trim() }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  throw new UsageError('the report’s page is not there', 'it is made when the package is built')
}
