import { resolve } from 'node:path'
import { EXIT_INTERRUPTED, EXIT_OK, type ExitCode } from '../command/exit.js'
import { plural } from '../report/plural.js'
import { painter } from '../terminal/style.js'
import type { Terminal } from '../terminal/terminal.js'

/** What a run leaves for the next one. */
export interface WatchedRun {
  /** Scenarios that were run, each with the other files that it is made of. */
  readonly scenarios: ReadonlyMap<string, readonly string[]>
  /** Those of which a cell failed, or that could not be read. */
  readonly failed: readonly string[]
  /** Files that every scenario depends on: the config, plugins. */
  readonly shared: readonly string[]
}

/** Something that happened to a file. */
export interface Change {
  readonly path: string
  readonly kind: 'changed' | 'added' | 'gone'
}

/** The outside world of a watcher. */
export interface WatchWorld {
  readonly terminal: Terminal
  /** The scenarios that the command line means now. */
  find(): Promise<readonly string[]>
  /** Runs scenarios and tells about them; never throws for what a person did wrong. */
  run(files: readonly string[], signal: AbortSignal): Promise<WatchedRun>
  /** Watches these files too. */
  watch(paths: readonly string[]): void
  /** Somebody can press keys. */
  readonly hasKeys: boolean
}

/** Before a change is acted on: editors write a file in several steps, and several files at once. */
const CALM = 50

const CLEAR_SCREEN = '\u001b[2J\u001b[3J\u001b[H'

/**
 * Runs scenarios again when they change, or what they are made of: the changed ones, or all where everything depends on
 * what changed. Keys: `a` all, `f` those that failed, `q` the end.
 */
export class Watcher {
  readonly #world: WatchWorld
  readonly #made = new Map<string, readonly string[]>()
  readonly #failed = new Set<string>()
  #shared = new Set<string>()
  #all: readonly string[] = []
  #changes: Change[] = []
  #wanted: 'all' | 'failed' | undefined
  #ended: ExitCode | undefined
  #wake: (() => void) | undefined
  #abort = new AbortController()

  constructor(world: WatchWorld) {
    this.#world = world
  }

  /** A file changed. */
  change(change: Change): void {
    this.#changes.push(change)
    this.#wake?.()
  }

  /** A key was pressed. */
  key(key: string): void {
    if (key === 'q') this.end(EXIT_OK)
    else if (key === '\u0003') this.end(EXIT_INTERRUPTED)
    else if (key === 'a' || key === '\r' || key === '\n') this.#wanted = 'all'
    else if (key === 'f') this.#wanted = 'failed'
    else return
    this.#wake?.()
  }

  /** Ends the watch, and a run that goes on. */
  end(code: ExitCode): void {
    this.#ended = code
    this.#abort.abort()
    this.#wake?.()
  }

  /** Runs everything once, then watches until the end. */
  async start(): Promise<ExitCode> {
    this.#wanted = 'all'
    while (this.#ended === undefined) {
      const files = await this.#due()
      if (files !== undefined) await this.#run(files)
      if (this.#ended === undefined && !this.#pending) await new Promise<void>((resolve) => this.#sleep(resolve))
    }
    return this.#ended
  }

  get #pending(): boolean {
    return this.#changes.length > 0 || this.#wanted !== undefined
  }

  /** Until a key, or until files have been calm for a while. */
  #sleep(wake: () => void): void {
    let timer: NodeJS.Timeout | undefined
    this.#wake = () => {
      clearTimeout(timer)
      if (this.#ended !== undefined || this.#wanted !== undefined) wake()
      else timer = setTimeout(wake, CALM)
    }
  }

  /** What is to be run now; undefined for nothing. */
  async #due(): Promise<readonly string[] | undefined> {
    const wanted = this.#wanted
    const changes = this.#changes
    this.#wanted = undefined
    this.#changes = []
    const before = this.#all
    this.#all = await this.#world.find()
    for (const file of [...this.#failed]) if (!this.#all.includes(file)) this.#failed.delete(file)
    if (wanted === 'all') return this.#all
    const paths = new Set(changes.map(({ path }) => resolve(path)))
    if ([...paths].some((path) => this.#shared.has(path))) return this.#all
    const due = this.#all.filter(
      (file) =>
        (wanted === 'failed' && this.#failed.has(file)) ||
        !before.includes(file) ||
        paths.has(resolve(file)) ||
        (this.#made.get(file) ?? []).some((path) => paths.has(resolve(path))),
    )
    return due.length > 0 || wanted === 'failed' ? due : undefined
  }

  async #run(files: readonly string[]): Promise<void> {
    const { out } = this.#world.terminal
    const paint = painter(out)
    if (out.live) out.write(CLEAR_SCREEN)
    this.#abort = new AbortController()
    if (files.length === 0) out.write('nothing failed\n')
    else {
      const { scenarios, failed, shared } = await this.#world.run(files, this.#abort.signal)
      for (const file of files) this.#failed.delete(file)
      for (const file of failed) this.#failed.add(file)
      for (const [file, made] of scenarios) this.#made.set(file, made)
      this.#shared = new Set(shared.map((path) => resolve(path)))
    }
    this.#world.watch([...this.#all, ...[...this.#made.values()].flat(), ...this.#shared].map((path) => resolve(path)))
    if (this.#ended !== undefined) return
    const keys = this.#world.hasKeys ? 'a all · f failed · q quit' : 'Ctrl-C ends'
    out.write(`\n${paint('faint', `watching ${plural(this.#all.length, 'scenario')} · ${keys}`)}\n`)
  }
}
