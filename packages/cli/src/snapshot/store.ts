import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { UsageError } from '../error/usage-error.js'

const HEADER = '# trapframe snapshot 1, written by: trapframe run --update\n'
const MARK = '=== '
const MOST_BYTES = 16 << 20

/**
 * The snapshots of one scenario: `__snapshots__/gap.yaml.snap` beside `gap.yaml`, a section for each name and cell. They
 * are only read, and written when the person at the keyboard asks for it.
 */
export class SnapshotStore {
  readonly path: string
  /** Snapshots are rewritten. */
  readonly update: boolean
  #sections: Map<string, string> | undefined
  /** What the scenario asks for, in its order: what is not among it goes when the file is written. */
  readonly #asked = new Set<string>()

  constructor(scenario: string, update = false) {
    this.path = join(dirname(scenario), '__snapshots__', `${basename(scenario)}.snap`)
    this.update = update
  }

  /** Notes that the scenario has a snapshot; false where it has one of that name and cell already. */
  claim(name: string, cell: string): boolean {
    const key = sectionName(name, cell)
    if (this.#asked.has(key)) return false
    this.#asked.add(key)
    return true
  }

  /** What was kept, without the last line end; undefined where nothing was. @throws UsageError for a file that cannot be read */
  kept(name: string, cell: string): string | undefined {
    return this.#read().get(sectionName(name, cell))
  }

  /** Keeps a text under a name, in the place of what was kept. @throws UsageError when the file cannot be written */
  keep(name: string, cell: string, text: string): void {
    const sections = this.#read()
    if (sections.get(sectionName(name, cell)) === text) return
    sections.set(sectionName(name, cell), text)
    const written = [...this.#asked].flatMap((key) => {
      const section = sections.get(key)
      return section === undefined ? [] : [`${MARK}${key}\n${section}\n`]
    })
    try {
      mkdirSync(dirname(this.path), { recursive: true })
      const draft = `${this.path}.${process.pid}.tmp`
      writeFileSync(draft, `${HEADER}\n${written.join('\n')}`, { flag: 'wx' })
      renameSync(draft, this.path)
    } catch (error) {
      throw new UsageError(`${this.path} cannot be written: ${(error as Error).message}`, undefined, error)
    }
  }

  #read(): Map<string, string> {
    this.#sections ??= readSections(this.path)
    return this.#sections
  }
}

const sectionName = (name: string, cell: string): string => (cell === '' ? name : `${name} | ${cell}`)

function readSections(path: string): Map<string, string> {
  let text: string
  try {
    const facts = statSync(path)
    if (!facts.isFile() || facts.size > MOST_BYTES) {
      throw new UsageError(`${path} is no file of snapshots`, 'remove it: --update writes it again')
    }
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    if (error instanceof UsageError) throw error
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}`, undefined, error)
  }
  const sections = new Map<string, string>()
  let name: string | undefined
  let lines: string[] = []
  const close = (): void => {
    if (name !== undefined) sections.set(name, lines.join('\n').trimEnd())
  }
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith(MARK)) {
      close()
      name = line.slice(MARK.length)
      lines = []
    } else {
      lines.push(line)
    }
  }
  close()
  return sections
}
