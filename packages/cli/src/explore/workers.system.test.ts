import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const bin = join(root, 'packages/cli/dist/bin.js')
const searches = join(root, 'scenarios/explore')
const NMI = join(searches, 'nmi-handler.yaml')
/** A search that lasts for some seconds: long enough to be disturbed. */
const LONG = [
  join(searches, 'xen-everywhere.yaml'),
  ...['--cell', 'delivery=fred', '--cell', 'revision=rfc'],
  ...['--depth', '2', '--events', 'nmi,db', '--max-seconds', '1000'],
]

vi.setConfig({ testTimeout: 240_000 })

const folder = mkdtempSync(join(tmpdir(), 'trapframe-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs `explore --json`; `meanwhile` is given its process id. */
async function explore(words: readonly string[], meanwhile?: (pid: number) => Promise<void>): Promise<Ended> {
  const child = spawn(process.execPath, [bin, 'explore', '--json', '--out', join(folder, 'out'), ...words], {
    cwd: root,
  })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    err += chunk
  })
  const ended = new Promise<number | null>((done) => child.on('close', done))
  await meanwhile?.(child.pid!)
  return { code: await ended, out, err }
}

/** What must not depend on how many processes there were: all but times and memory. */
function essence({ out }: Ended): unknown {
  const apart = ['seconds', 'statesPerSecond', 'memory']
  return JSON.parse(out, (key, value) => (apart.includes(key) ? undefined : value))
}

/** The children of a process, with the seconds that they have computed. */
function children(pid: number): { readonly pid: number; readonly seconds: number }[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,time='], { encoding: 'utf8' }).trim().split('\n')
  return lines.flatMap((line) => {
    const [child, parent, time] = line.trim().split(/\s+/)
    const seconds = time!.split(':').reduce((sum, part) => 60 * sum + Number(part), 0)
    return Number(parent) === pid ? [{ pid: Number(child), seconds }] : []
  })
}

/** The ids of a process's workers, once they are in the middle of their work: making the machine takes less than a second. */
async function workersOf(pid: number, count: number): Promise<number[]> {
  for (let tries = 0; tries < 1000; tries++) {
    const found = children(pid)
    if (found.length === count && found.every(({ seconds }) => seconds >= 2)) return found.map((one) => one.pid)
    await new Promise((done) => setTimeout(done, 50))
  }
  throw new Error(`${count} workers did not come`)
}

describe('explore --workers', () => {
  test.each([
    ['both cells, one of them with a counterexample', [NMI]],
    ['code for the host of one cell only', [join(searches, 'swapgs-window.yaml')]],
    ['two CPUs', [NMI, '--depth', '2', '--event-cpus', '0'], 'machine: { cpus: 2,'],
  ])('counts, finds and writes the same with 1, 2 and 3: %s', async (_, [file, ...words], machine?: string) => {
    const scenario = join(folder, 's.yaml')
    writeFileSync(scenario, readFileSync(file!, 'utf8').replace('machine: {', machine ?? 'machine: {'))
    const one = await explore([scenario, ...words])
    expect(JSON.parse(one.out).complete).toBe(true)
    for (const workers of ['1', '2', '3']) {
      const several = await explore([scenario, ...words, '--workers', workers])
      expect(several.err).toBe('')
      expect(several.code).toBe(one.code)
      expect(essence(several)).toEqual(essence(one))
    }
  })

  test('plugins of the command line, of the config and of the scenario reach them', async () => {
    const observer = (name: string): string =>
      `export const p = { name: '${name}', setup(host) {
        host.instructions.define({ mnemonic: '${name}', execute: (cpu) => cpu.setGpr(0, 7n) })
      } }\n`
    writeFileSync(join(folder, 'a.mjs'), observer('rdseed'))
    writeFileSync(join(folder, 'b.mjs'), observer('xsave'))
    writeFileSync(join(folder, 'c.mjs'), observer('rdrand'))
    writeFileSync(join(folder, 'config.json'), '{ "plugins": ["./b.mjs"] }')
    const machine = 'machine: { host: flat-idt, plugins: [./c.mjs] }'
    const text = `name: x\n${machine}\nguest: |\n  rdseed eax\n  xsave [rax]\n  rdrand eax\n`
    writeFileSync(join(folder, 'plugins.yaml'), text)
    const words = [join(folder, 'plugins.yaml'), '--plugin', join(folder, 'a.mjs'), '--allow-plugins']
    words.push('--config', join(folder, 'config.json'))
    const one = await explore(words)
    expect(JSON.parse(one.out).cells[0]).toMatchObject({ complete: true, limits: [] })
    expect(essence(await explore([...words, '--workers', '2']))).toEqual(essence(one))
  })

  describe('disturbed', () => {
    let whole: unknown
    beforeAll(async () => {
      whole = essence(await explore(LONG))
    }, 240_000)

    test('a worker that is killed in the middle changes nothing, and is told', async () => {
      const killed = await explore([...LONG, '--workers', '2'], async (pid) => {
        const [first] = await workersOf(pid, 2)
        process.kill(first!, 'SIGKILL')
      })
      expect(killed.err).toContain('the worker ended with SIGKILL: all go back to what was kept last')
      expect(killed.code).toBe(0)
      expect(essence(killed)).toEqual(whole)
    })

    test('after Ctrl-C, which a terminal sends to all, another number goes on from the checkpoint as if nothing was', async () => {
      const checkpoint = join(folder, 'xen.checkpoint')
      const stopped = await explore([...LONG, '--workers', '2', '--checkpoint', checkpoint], async (pid) => {
        const workers = await workersOf(pid, 2)
        for (const one of [...workers, pid]) process.kill(one, 'SIGINT')
      })
      expect(stopped.err).toBe('')
      expect([stopped.code, JSON.parse(stopped.out).cells[0].stopped]).toEqual([130, ['aborted']])
      for (const workers of ['1', '3']) {
        const resumed = await explore([...LONG, '--workers', workers, '--resume', checkpoint])
        expect(essence(resumed)).toEqual(whole)
      }
    })
  })

  test.each([
    [['--workers', '0'], '--workers cannot be "0"'],
    [['--workers', '2', '--strategy', 'depth-first'], '--workers 2 cannot search depth-first'],
    [['--workers', '2', '--cell', 'delivery=idt', '--resume', NMI], 'this is no checkpoint'],
    [['--workers', '2', '--invariants', 'no-clobbering'], 'unknown invariant "no-clobbering"'],
  ])('mistakes are told without a stack: %j', async (words, told) => {
    const { code, err } = await explore([NMI, ...words])
    expect(code).toBe(2)
    expect(err).toContain(told)
    expect(err).not.toMatch(/\bat \S+ \(/)
  })
})
