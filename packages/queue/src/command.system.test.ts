import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { RedisServer, serverProgram } from '../test/redis-server.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const bin = join(root, 'packages/cli/dist/bin.js')
const NMI = 'scenarios/explore/nmi-handler.yaml'

let server: RedisServer
const folder = mkdtempSync(join(tmpdir(), 'trapframe-'))
const workers: ChildProcess[] = []

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function start(words: readonly string[]) {
  const child = spawn(process.execPath, [bin, 'explore', ...words], { cwd: root })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    err += chunk
  })
  const ended = new Promise<Ended>((done) => child.on('close', (code) => done({ code, out, err })))
  return { child, ended }
}

const explore = (...words: string[]): Promise<Ended> =>
  start([...words, '--json', '--out', join(folder, 'out'), '--max-seconds', '1000']).ended

/** What must not depend on who searched: all but times and memory. */
function essence({ out }: Ended): unknown {
  const apart = ['seconds', 'statesPerSecond', 'memory']
  return JSON.parse(out, (key, value) => (apart.includes(key) ? undefined : value))
}

const REASON = 'neither redis-server nor valkey-server is installed'

describe('trapframe explore --queue', () => {
  beforeAll(async () => {
    if (serverProgram === null) return
    server = await RedisServer.start(serverProgram)
  })

  beforeEach(({ skip }) => skip(serverProgram === null, REASON))

  afterEach(() => {
    for (const child of workers.splice(0)) child.kill('SIGKILL')
  })

  afterAll(async () => {
    await server?.end()
    rmSync(folder, { recursive: true, force: true })
  })

  it('finds what one process finds, and a worker ends in order on Ctrl-C', async () => {
    const worker = start(['worker', '--queue', server.url])
    workers.push(worker.child)
    const found = await explore(NMI, '--queue', server.url)
    const alone = await explore(NMI)
    expect(found.code).toBe(1)
    expect(alone.code).toBe(1)
    expect(essence(found)).toEqual(essence(alone))
    worker.child.kill('SIGINT')
    const { code, err } = await worker.ended
    expect(code).toBe(0)
    expect(err).toMatch(/[1-9]\d* portions expanded/)
  })

  it('a scenario outside of the working folder, which workers would not read, is refused', async () => {
    const outside = join(folder, 'nmi-handler.yaml')
    copyFileSync(join(root, NMI), outside)
    const { code, err } = await explore(outside, '--queue', server.url)
    expect(code).toBe(2)
    expect(err).toContain('cannot be searched through a queue')
  })

  it('says that a place is none', async () => {
    const { code, err } = await explore(NMI, '--queue', 'localhost:6379')
    expect(code).toBe(2)
    expect(err).toContain('redis://HOST:PORT')
  })
})
