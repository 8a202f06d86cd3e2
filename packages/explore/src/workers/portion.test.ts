import { fileURLToPath } from 'node:url'
import { deserialize, serialize } from 'node:v8'
import { describe, expect, it } from 'vitest'
import {
  type ExpandedPortion,
  explorePortions,
  loadCheckpoint,
  type Portion,
  PortionExpander,
  type SearchResult,
  saveCheckpoint,
  search,
} from '../index.js'

const SETUP = fileURLToPath(new URL('../../test/flat-search.mjs', import.meta.url))
const plugins = ['isa', 'idt', 'fred'].map((name) => [`@trapframe/${name}`, name])
const { searchSetup } = (await import(SETUP)) as { searchSetup: import('./protocol.js').SearchSetup }
const prepare = async (data: object) => searchSetup({ plugins, ...data })

async function inOneThread(data: object) {
  const { machine, boot, options } = await prepare(data)
  return essence(search(machine, boot, options))
}

function essence({ memory, seconds, statesPerSecond, ...rest }: SearchResult) {
  return rest
}

/** Expanders that know of each other and of the search only what survives as bytes, asked in turn. */
async function expanders(data: object, count: number, before: (n: number) => void = () => {}) {
  const all = await Promise.all(Array.from({ length: count }, async () => new PortionExpander(await prepare(data))))
  const busy = all.map(() => Promise.resolve() as Promise<unknown>)
  let asked = 0
  return async (portion: Portion): Promise<ExpandedPortion> => {
    before(asked)
    const who = asked++ % count
    const bytes = serialize(portion)
    const answer = busy[who]!.then(() => all[who]!.expand(deserialize(bytes)))
    busy[who] = answer
    return deserialize(serialize(await answer))
  }
}

describe('a search in portions, expanded by workers without a memory', () => {
  it.each([
    ['IDT, with NMI re-entry to find', { delivery: 'idt', length: 8 }],
    ['FRED, two CPUs', { delivery: 'fred', cpus: 2, length: 2, options: { maxEvents: 2 } }],
    ['every state by itself', { delivery: 'idt', length: 5, options: { straightLines: false } }],
  ])('counts, finds and reports what it does in one thread: %s', async (_, data) => {
    const alone = await inOneThread(data)
    expect(alone.complete).toBe(true)
    for (const portionStates of [3, 256]) {
      const expand = await expanders(data, 2)
      expect(essence(await explorePortions(await prepare(data), expand, { portionStates }))).toEqual(alone)
    }
  })

  it('goes on from a checkpoint, and ends as if it had never stopped', async () => {
    const data = { delivery: 'idt', length: 8 }
    const signal = { aborted: false }
    let saved: Uint8Array | undefined
    const expand = await expanders(data, 2, (n) => {
      signal.aborted = n >= 10
    })
    const first = await explorePortions(await prepare(data), expand, {
      signal,
      portionStates: 16,
      checkpoint: {
        everySeconds: 1000,
        save: (checkpoint) => {
          saved = saveCheckpoint(checkpoint)
        },
      },
    })
    expect(first.stopped).toEqual(['aborted'])
    const resume = loadCheckpoint(saved!)
    const found = await explorePortions(await prepare(data), await expanders(data, 1), { resume })
    expect(essence(found)).toEqual(await inOneThread(data))
  })

  it('a worker that would make another search refuses', async () => {
    const expand = await expanders({ delivery: 'idt', length: 9 }, 1)
    const found = explorePortions(await prepare({ delivery: 'idt', length: 8 }), expand)
    await expect(found).rejects.toThrow('another search')
  })
})
