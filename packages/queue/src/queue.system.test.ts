import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { PreparedSearch, SearchResult, SearchSetup } from '@trapframe/explore'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { RedisServer, serverProgram } from '../test/redis-server.js'

// The built packages: workers are processes of their own, which know nothing of the test runner's sources.
const built = (name: string): string => new URL(`../../${name}/dist/index.js`, import.meta.url).href
const WORKER = fileURLToPath(new URL('../test/worker-process.mjs', import.meta.url))
const SETUP = new URL('../../explore/test/flat-search.mjs', import.meta.url).href
const plugins = ['isa', 'idt', 'fred'].map((name) => [built(name), name])
/** Seconds after which a silent worker is lost. */
const LOST_AFTER = 1

let queue: typeof import('./index.js')
let explore: typeof import('@trapframe/explore')
let setup: SearchSetup
let server: RedisServer
const workers: ChildProcess[] = []

/** Starts a worker process, which SIGKILL ends when it has taken portion `dieAt`; resolves when it is ready. */
async function worker(dieAt?: number): Promise<ChildProcess> {
  const { url } = server
  const told = { url, queue: built('queue'), setup: SETUP, lostAfterSeconds: LOST_AFTER, dieAt }
  const child = spawn(process.execPath, [WORKER, JSON.stringify(told)], { stdio: ['ignore', 'pipe', 'inherit'] })
  workers.push(child)
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the worker ended')))
    child.stdout!.once('data', () => resolve())
  })
  return child
}

const given = (data: object) => ({ plugins, ...data })
const prepare = async (data: object): Promise<PreparedSearch> => setup(given(data))

async function inOneThread(data: object) {
  const { machine, boot, options } = await prepare(data)
  return essence(explore.search(machine, boot, options))
}

function essence({ memory, seconds, statesPerSecond, ...rest }: SearchResult) {
  return rest
}

const byQueue = async (data: object, options: object = {}) =>
  essence(await queue.exploreByQueue(await prepare(data), given(data), { url: server.url, ...options }))

const REASON = 'neither redis-server nor valkey-server is installed'

describe('a search through a queue', () => {
  beforeAll(async () => {
    if (serverProgram === null) return
    queue = (await import(built('queue'))) as typeof queue
    explore = (await import(built('explore'))) as typeof explore
    setup = ((await import(fileURLToPath(SETUP))) as { searchSetup: SearchSetup }).searchSetup
    server = await RedisServer.start(serverProgram)
  })

  beforeEach(({ skip }) => skip(serverProgram === null, REASON))

  afterEach(() => {
    for (const child of workers.splice(0)) child.kill('SIGKILL')
  })

  afterAll(() => server?.end())

  it.each([
    ['IDT, with NMI re-entry to find', { delivery: 'idt', length: 30 }],
    ['FRED, two CPUs', { delivery: 'fred', cpus: 2, length: 4, options: { maxEvents: 2 } }],
  ])('counts, finds and reports what it does in one thread: %s', async (_, data) => {
    await Promise.all([worker(), worker()])
    const alone = await inOneThread(data)
    expect(alone.complete).toBe(true)
    expect(await byQueue(data)).toEqual(alone)
  })

  it('a worker that is killed in the middle of its portion changes nothing: another one has it', async () => {
    const data = { delivery: 'idt', length: 60 }
    const dying = await Promise.all([worker(3), worker(9)])
    await worker()
    const alone = await inOneThread(data)
    let lost = 0
    const onLoss = (): void => {
      lost++
    }
    expect(await byQueue(data, { portionStates: 16, onLoss })).toEqual(alone)
    expect(dying.map(({ signalCode }) => signalCode)).toEqual(['SIGKILL', 'SIGKILL'])
    expect(lost).toBe(2)
  })

  it('waits for a worker where none is there, and says so', async () => {
    const data = { delivery: 'idt', length: 10 }
    let started: Promise<unknown> | undefined
    const onNobody = (): void => {
      started ??= worker()
    }
    expect(await byQueue(data, { onNobody })).toEqual(await inOneThread(data))
    await started
  })

  it('ends with what a worker says that cannot make the search', async () => {
    await worker()
    const prepared = await prepare({ delivery: 'idt', length: 10 })
    const other = given({ delivery: 'idt', length: 11 })
    await expect(queue.exploreByQueue(prepared, other, { url: server.url })).rejects.toThrow('another search')
    const broken = given({ delivery: 'no-such' })
    await expect(queue.exploreByQueue(prepared, broken, { url: server.url })).rejects.toThrow('a worker cannot go on')
  })

  it('a place that is none is refused', async () => {
    const prepared = await prepare({ delivery: 'idt', length: 10 })
    await expect(queue.exploreByQueue(prepared, {}, { url: 'localhost' })).rejects.toThrow('no place of a queue')
  })
})
