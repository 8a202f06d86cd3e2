import { readdir } from 'node:fs/promises'
import { basename, dirname, relative } from 'node:path'
import { nearest } from '../command/suggest.js'

/** The hint for a file that is not there: one of nearly that name in the same folder. */
export async function nearestFile(wanted: string, from: string): Promise<string | undefined> {
  const siblings = await readdir(dirname(wanted)).catch(() => [])
  const near = nearest(basename(wanted), siblings)
  if (near === undefined) return undefined
  const folder = relative(from, dirname(wanted))
  return `did you mean "${folder === '' ? near : `${folder}/${near}`}"?`
}
