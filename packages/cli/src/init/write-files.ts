import { mkdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { UsageError } from '../error/usage-error.js'

/**
 * Writes files into a folder, and the folders that they need. Nothing is written if one of them is there already.
 *
 * @param files texts by path from the folder
 * @param force writes over what is there
 * @returns the files as a person would name them, from the working folder
 * @throws UsageError for files that are there, and for what the system refuses
 */
export async function writeFiles(
  folder: string,
  files: Readonly<Record<string, string>>,
  force: boolean,
): Promise<readonly string[]> {
  const entries = Object.entries(files).map(([name, text]) => ({ path: join(folder, name), text }))
  const named = (path: string): string => relative(process.cwd(), path) || path
  const there: string[] = []
  for (const { path } of entries) if (await stat(path).catch(() => undefined)) there.push(named(path))
  if (there.length > 0 && !force) {
    const [first, ...more] = there
    const others = more.length === 0 ? '' : `, and ${more.length} more of these files`
    throw new UsageError(`${first} is there already${others}`, 'nothing was written; --force writes over it')
  }
  for (const { path, text } of entries) {
    try {
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, text)
    } catch (error) {
      throw new UsageError(`${named(path)} cannot be written`, (error as Error).message, error)
    }
  }
  return entries.map(({ path }) => named(path))
}
