import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { nearest } from '../command/suggest.js'
import { UsageError } from '../error/usage-error.js'
import { LIMITS } from '../scenario/limits.js'

const isYaml = (name: string): boolean => /\.ya?ml$/.test(name)

/** Whether a file is a scenario in TypeScript, which is executed when it is read. */
export const isTypeScript = (name: string): boolean => /\.scenario\.[mc]?ts$/.test(name)

/** Whether a file of a folder is a scenario, by its name. */
export const isScenario = (name: string): boolean => isYaml(name) || isTypeScript(name)

/** The files that operands mean. */
export interface FoundFiles {
  readonly files: readonly string[]
  /** Scenarios in TypeScript that only a folder or a glob means: code that nobody asked for by name. */
  readonly passedOver: readonly string[]
}

/**
 * The scenario files that operands mean: files as they are, of folders every `.yaml` and `.yml` below, of globs what they
 * match, by name. Each file comes once.
 *
 * @param scripts folders and globs mean scenarios in TypeScript too
 * @throws UsageError for what does not exist, and for folders and globs without scenarios
 */
export async function findScenarios(operands: readonly string[], scripts = false): Promise<FoundFiles> {
  const files = new Map<string, string>()
  const passedOver = new Map<string, string>()
  for (const operand of operands) {
    const found = await filesOf(operand)
    for (const file of found ?? [operand]) {
      const wanted = found === undefined || scripts || isYaml(file) ? files : passedOver
      if (!wanted.has(resolve(file))) wanted.set(resolve(file), file)
    }
  }
  for (const path of files.keys()) passedOver.delete(path)
  return { files: [...files.values()], passedOver: [...passedOver.values()] }
}

/** What a folder or a glob holds; undefined for a file. */
async function filesOf(operand: string): Promise<readonly string[] | undefined> {
  let folder: boolean
  try {
    folder = (await stat(operand)).isDirectory()
  } catch (error) {
    if (isGlob(operand)) return matching(operand)
    throw await unreadable(operand, error as NodeJS.ErrnoException)
  }
  if (!folder) return undefined
  const found = await filesBelow(operand)
  if (found.length === 0) throw new UsageError(`there is no scenario (.yaml) in ${operand}`)
  return found
}

/** Whether an operand that is no file is a glob: shells leave them alone where they match nothing, and in quotes. */
export const isGlob = (operand: string): boolean => /[*?[\]{}]/.test(operand)

async function matching(pattern: string): Promise<readonly string[]> {
  const { glob } = await import('tinyglobby')
  const ignore = ['**/node_modules/**', '**/dist/**']
  const options = { ignore, absolute: isAbsolute(pattern), onlyFiles: true, expandDirectories: false }
  const found = (await glob(pattern.split(sep).join('/'), options)).filter(isScenario).sort()
  if (found.length === 0) throw new UsageError(`no scenario matches ${pattern}`)
  return found
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
  if (bytes.length > LIMITS.file) throw new UsageError(`${file} is too large for a scenario`, 'most: 1 MiB')
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
