import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { nearest } from '../command/suggest.js'
import { UsageError } from '../error/usage-error.js'

/** Longest file that is taken for a scenario. */
const MOST_BYTES = 1 << 22

const isScenario = (name: string): boolean => /\.ya?ml$/.test(name)

/**
 * The scenario files that operands mean: files as they are, of folders every `.yaml` and `.yml` below, by name. Each
 * file comes once.
 *
 * @throws UsageError for what does not exist, and for a folder without scenarios
 */
export async function scenarioFiles(operands: readonly string[]): Promise<string[]> {
  const files = new Set<string>()
  for (const operand of operands) {
    if (!(await isFolder(operand))) {
      files.add(operand)
      continue
    }
    const found = await filesBelow(operand)
    if (found.length === 0) throw new UsageError(`there is no scenario (.yaml) in ${operand}`)
    for (const file of found) files.add(file)
  }
  return [...files]
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    throw await unreadable(path, error as NodeJS.ErrnoException)
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))
  const found: string[] = []
  for (const entry of entries) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      if (!entry.name.startsWith('.') && !['node_modules', 'dist'].includes(entry.name))
        found.push(...(await filesBelow(path)))
    } else if (isScenario(entry.name)) {
      found.push(path)
    }
  }
  return found
}

/** The text of a scenario. @throws UsageError when it cannot be read */
export async function readScenario(file: string): Promise<string> {
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (error) {
    throw await unreadable(file, error as NodeJS.ErrnoException)
  }
  if (bytes.length > MOST_BYTES) throw new UsageError(`${file} is too large for a scenario`, 'most: 4 MiB')
  if (bytes.includes(0)) throw new UsageError(`${file} is no text`, 'a scenario is a YAML file')
  return bytes.toString('utf8').replace(/^\ufeff/, '')
}

async function unreadable(path: string, error: NodeJS.ErrnoException): Promise<UsageError> {
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR': {
      const siblings = await readdir(dirname(path)).catch(() => [])
      const near = nearest(basename(path), siblings.filter(isScenario))
      return new UsageError(`there is no file ${path}`, near && `did you mean "${join(dirname(path), near)}"?`, error)
    }
    case 'EACCES':
    case 'EPERM':
      return new UsageError(`${path} may not be read`, undefined, error)
    case 'EISDIR':
      return new UsageError(`${path} is a folder`, undefined, error)
    default:
      return new UsageError(`${path} cannot be read: ${error.message}`, undefined, error)
  }
}
