import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { memoryTerminal } from '../terminal/terminal.js'
import { Watcher, type WatchWorld } from './watcher.js'

/** A world whose runs are written down, and which says how to go on when the watcher has come to rest. */
function world(options: { live?: boolean; failed?: string[]; shared?: string[] } = {}) {
  const runs: string[][] = []
  const watched: string[][] = []
  const state = { files: ['a.yaml', 'b.yaml', 'c.yaml'], failed: options.failed ?? ['b.yaml'], throws: false }
  const terminal = memoryTerminal({ live: options.live ?? false })
  const made: Record<string, string[]> = { 'c.yaml': ['images/kernel.elf'] }
  const parts: WatchWorld = {
    terminal,
    hasKeys: options.live ?? false,
    find: async () => state.files,
    run: async (files) => {
      runs.push([...files])
      const failed = files.filter((file) => state.failed.includes(file))
      return { scenarios: new Map(files.map((file) => [file, made[file] ?? []])), failed, shared: options.shared ?? [] }
    },
    watch: (paths) => void watched.push([...paths]),
  }
  const watcher = new Watcher(parts)
  const calm = (): Promise<void> => new Promise((done) => setTimeout(done, 120))
  return { watcher, runs, watched, state, terminal, calm }
}

const changed = (path: string) => ({ path: resolve(path), kind: 'changed' as const })

describe('what is run again', () => {
  test('everything at first, then what changed, and scenarios made of what changed', async () => {
    const { watcher, runs, watched, calm } = world()
    const end = watcher.start()
    await calm()
    watcher.change(changed('a.yaml'))
    watcher.change(changed('a.yaml'))
    await calm()
    watcher.change(changed('images/kernel.elf'))
    await calm()
    watcher.change(changed('somewhere/else.yaml'))
    await calm()
    watcher.key('q')
    expect(await end).toBe(0)
    expect(runs).toEqual([['a.yaml', 'b.yaml', 'c.yaml'], ['a.yaml'], ['c.yaml']])
    expect(watched[0]).toEqual(['a.yaml', 'b.yaml', 'c.yaml', 'images/kernel.elf'].map((path) => resolve(path)))
  })

  test('everything, when the config or a plugin changed', async () => {
    const { watcher, runs, calm } = world({ shared: ['trapframe.config.ts'] })
    const end = watcher.start()
    await calm()
    watcher.change(changed('trapframe.config.ts'))
    await calm()
    watcher.key('q')
    await end
    expect(runs).toHaveLength(2)
    expect(runs[1]).toHaveLength(3)
  })

  test('a scenario that is new; one that is gone is forgotten', async () => {
    const { watcher, runs, state, calm } = world()
    const end = watcher.start()
    await calm()
    state.files = ['a.yaml', 'd.yaml']
    watcher.change({ path: resolve('d.yaml'), kind: 'added' })
    await calm()
    watcher.key('f')
    await calm()
    watcher.key('q')
    await end
    expect(runs).toEqual([['a.yaml', 'b.yaml', 'c.yaml'], ['d.yaml']])
  })
})

describe('keys', () => {
  test('a runs all, f those that failed, other keys nothing', async () => {
    const { watcher, runs, state, terminal, calm } = world({ live: true })
    const end = watcher.start()
    await calm()
    watcher.key('f')
    await calm()
    state.failed = []
    watcher.key('f')
    await calm()
    watcher.key('f')
    watcher.key('x')
    await calm()
    watcher.key('a')
    await calm()
    watcher.key('q')
    expect(await end).toBe(0)
    const all = ['a.yaml', 'b.yaml', 'c.yaml']
    expect(runs).toEqual([all, ['b.yaml'], ['b.yaml'], all])
    expect(terminal.text.out).toContain('nothing failed')
    expect(terminal.text.out).toContain('watching 3 scenarios · a all · f failed · q quit')
  })

  test('Ctrl-C ends it with 130', async () => {
    const { watcher, calm } = world()
    const end = watcher.start()
    await calm()
    watcher.key('\u0003')
    expect(await end).toBe(130)
  })
})

test('the screen is cleared on a terminal only', async () => {
  for (const live of [true, false]) {
    const { watcher, terminal, calm } = world({ live })
    const end = watcher.start()
    await calm()
    watcher.key('q')
    await end
    expect(terminal.text.out.includes('\u001b[2J')).toBe(live)
    expect(terminal.text.out).toContain(live ? 'q quit' : 'Ctrl-C ends')
  }
})
