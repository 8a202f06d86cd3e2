import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'

// The built package: workers are threads and processes of their own, which know nothing of the test runner's sources.
const built = (name: string): string => new URL(`../../../${name}/dist/index.js`, import.meta.url).href
type Explore = typeof import('../index.js')

const SETUP = new URL('../../test/flat-search.mjs', import.meta.url).href
const plugins = [
  [built('isa'), 'isa'],
  [built('idt'), 'idt'],
  [built('fred'), 'fred'],
]

let api: Explore
const job = (data: object) => ({ module: SETUP, data: { plugins, ...data } })

/** What must not depend on how many workers there were, nor on what became of them. */
async function inOneThread(data: object) {
  const { searchSetup } = (await import(fileURLToPath(SETUP))) as { searchSetup: import('./protocol.js').SearchSetup }
  const { machine, boot, options } = await searchSetup(job(data).data)
  return essence(api.search(machine, boot, options))
}

function essence({ memory, seconds, statesPerSecond, ...rest }: import('../search/result.js').SearchResult) {
  return rest
}

beforeAll(async () => {
  api = (await import(built('explore'))) as Explore
})

describe('a search in several workers', () => {
  it.each([
    ['IDT, with NMI re-entry to find', { delivery: 'idt', length: 30 }],
    ['FRED, two CPUs', { delivery: 'fred', cpus: 2, length: 4, options: { maxEvents: 2 } }],
    ['every state by itself', { delivery: 'idt', length: 10, options: { straightLines: false } }],
  ])('counts, finds and reports what it does in one thread: %s', async (_, data) => {
    const alone = await inOneThread(data)
    expect(alone.complete).toBe(true)
    for (const workers of [1, 2, 3]) {
      expect(essence(await api.exploreParallel(job(data), { workers }))).toEqual(alone)
    }
  })

  it('a worker that is killed in the middle changes nothing: the others go back with it and do the work again', async () => {
    const data = { delivery: 'idt', length: 60 }
    const alone = await inOneThread(data)
    const pids: number[] = []
    const losses: string[] = []
    let killed = 0
    const found = await api.exploreParallel(job(data), {
      workers: 2,
      processes: true,
      keepEverySeconds: 0,
      progressEvery: 0,
      onWorker: (index, pid) => {
        pids[index] = pid!
      },
      onLoss: (message) => losses.push(message),
      onProgress: ({ events, steps }) => {
        if ((killed === 0 && events === 1 && steps > 20) || (killed === 1 && events === 2 && steps > 20)) {
          process.kill(pids[killed]!, 'SIGKILL')
          killed++
        }
      },
    })
    expect(killed).toBe(2)
    expect(losses).toHaveLength(2)
    expect(losses[0]).toContain('SIGKILL')
    expect(essence(found)).toEqual(alone)
  })

  it('goes on from a checkpoint with another number of workers, and ends as if it had never stopped', async () => {
    const data = { delivery: 'idt', length: 30 }
    const alone = await inOneThread(data)
    const signal = { aborted: false }
    let saved: Uint8Array | undefined
    const first = await api.exploreParallel(job(data), {
      workers: 2,
      signal,
      progressEvery: 0,
      onProgress: ({ events, steps }) => {
        signal.aborted = events === 2 && steps > 10
      },
      checkpoint: {
        everySeconds: 1000,
        save: (checkpoint) => {
          saved = api.saveCheckpoint(checkpoint)
        },
      },
    })
    expect(first.stopped).toEqual(['aborted'])
    const resume = api.loadCheckpoint(saved!)
    expect(essence(await api.exploreParallel(job(data), { workers: 3, resume }))).toEqual(alone)
  })

  it('a job that is another search in a worker than here is refused', async () => {
    const data = { delivery: 'idt', length: 30 }
    const other = { delivery: 'idt', length: 31 }
    let saved: Uint8Array | undefined
    const checkpoint = {
      everySeconds: 0,
      save: (state: import('../search/checkpoint.js').SearchCheckpoint) => {
        saved ??= api.saveCheckpoint(state)
      },
    }
    await api.exploreParallel(job(data), { workers: 1, checkpoint })
    const resume = api.loadCheckpoint(saved!)
    await expect(api.exploreParallel(job(other), { workers: 1, resume })).rejects.toThrow('is of another search')
  })
})
