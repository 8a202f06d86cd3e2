import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { FSWatcher } from 'chokidar'
import { EXIT_INTERRUPTED, type ExitCode } from '../command/exit.js'
import { configOf } from '../config/config-of.js'
import { findConfig } from '../config/find-config.js'
import { printError } from '../error/print.js'
import { findScenarios, isGlob, isScenario } from '../run/files.js'
import { operandsOf } from '../run/operands.js'
import { type RunFilesOptions, run } from '../run/run-files.js'
import { localImports } from '../script/local-imports.js'
import { modulePath } from '../session/modules.js'
import type { Terminal } from '../terminal/terminal.js'
import { type WatchedRun, Watcher } from './watcher.js'

/** `trapframe run --watch`: the run again and again, until a key or Ctrl-C ends it. */
export async function watchFiles(
  operands: readonly string[],
  terminal: Terminal,
  options: RunFilesOptions = {},
): Promise<ExitCode> {
  const { watch } = await import('chokidar')
  // What is wrong with the command line itself is told now, not after each change.
  const config = await configOf(options.config)
  const wanted = operandsOf(operands, config)
  const scripts = options.allowPlugins === true || config.settings.allowPlugins === true
  await findScenarios(wanted, scripts)
  const folders = await foldersOf(wanted)
  const named = new Set<string>()
  const files: FSWatcher = watch(folders, {
    ignoreInitial: true,
    ignored: (path, stats) =>
      /[\\/](?:node_modules|dist|\.[^\\/.][^\\/]*)$/.test(path) ||
      (stats?.isFile() === true && !named.has(path) && !isScenario(path)),
  })
  const keyboard = process.stdin.isTTY && terminal.out.live ? process.stdin : undefined
  const watcher: Watcher = new Watcher({
    terminal,
    hasKeys: keyboard !== undefined,
    find: async () => {
      try {
        return (await findScenarios(wanted, scripts)).files
      } catch {
        // The last one is gone for a moment, as when an editor writes a file anew.
        return []
      }
    },
    run: (list, signal) => runWatched(list, terminal, { ...options, signal, fresh: true }),
    watch(paths) {
      const more = paths.filter((path) => !named.has(path))
      for (const path of more) named.add(path)
      files.add(more)
    },
  })
  files.on('all', (event, path) => {
    if (event === 'change') watcher.change({ path, kind: 'changed' })
    else if (event === 'add') watcher.change({ path, kind: 'added' })
    else if (event === 'unlink') watcher.change({ path, kind: 'gone' })
  })
  const interrupt = (): void => watcher.end(EXIT_INTERRUPTED)
  const pressed = (key: Buffer): void => watcher.key(key.toString())
  process.once('SIGINT', interrupt)
  keyboard?.setRawMode(true).resume().on('data', pressed)
  try {
    return await watcher.start()
  } finally {
    process.off('SIGINT', interrupt)
    keyboard?.off('data', pressed).setRawMode(false).pause()
    await files.close()
  }
}

/** One run; what a person did wrong is told, and the next change may mend it. */
async function runWatched(list: readonly string[], terminal: Terminal, options: RunFilesOptions): Promise<WatchedRun> {
  const shared = await sharedFiles(options)
  try {
    const { results, config } = await run(list, terminal, options)
    const modules = (config.settings.plugins ?? []).filter((entry) => typeof entry === 'string')
    return {
      scenarios: new Map(results.map(({ file, files }) => [file, files])),
      failed: results
        .filter(({ error, cells }) => error !== undefined || cells.some(({ passed }) => !passed))
        .map(({ file }) => file),
      shared: [...shared, ...config.files, ...(await pathsOf(modules, config.folder))],
    }
  } catch (error) {
    await printError(error, terminal.err)
    return { scenarios: new Map(), failed: list, shared }
  }
}

/** The config, and the plugins of the command line, with what they import. */
async function sharedFiles({ config, modules = [] }: RunFilesOptions): Promise<string[]> {
  const file = config === undefined ? await findConfig(process.cwd()) : resolve(config)
  return [...(file === undefined ? [] : [file]), ...(await pathsOf(modules, process.cwd()))]
}

async function pathsOf(modules: readonly string[], folder: string): Promise<string[]> {
  const paths = modules.flatMap((module) => modulePath(module, folder) ?? [])
  return [...paths, ...(await Promise.all(paths.map(localImports))).flat()]
}

/** Folders in which new scenarios may appear: those that operands name, and those that globs search. */
async function foldersOf(operands: readonly string[]): Promise<string[]> {
  const folders: string[] = []
  for (const operand of operands) {
    const entry = await stat(operand).catch(() => undefined)
    if (entry?.isDirectory()) folders.push(resolve(operand))
    else if (entry === undefined && isGlob(operand)) folders.push(resolve(globBase(operand)))
  }
  return folders
}

/** The part of a glob before its first wildcard. */
function globBase(pattern: string): string {
  const parts = pattern.split('/')
  const first = parts.findIndex(isGlob)
  return parts.slice(0, first).join('/') || (pattern.startsWith('/') ? '/' : '.')
}
