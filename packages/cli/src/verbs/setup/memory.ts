import { type Machine, PAGE_SIZE, pageFlags } from '@trapframe/core'
import { z } from 'zod'
import { LIMITS } from '../../scenario/limits.js'
import { integer, quantity } from '../../scenario/schema.js'
import { hex } from '../../session/symbols.js'
import { MEMORY_PLACE, resolvePlace } from '../memory-place.js'
import { setupVerb, type VerbContext } from '../slots.js'

/** `memory: [{ address: counter, u64: 1 }]`: written whatever the page allows. */
export const SET_MEMORY = setupVerb({
  summary: 'bytes in memory: address, and bytes, u8, u16, u32 or u64',
  schema: z.array(MEMORY_PLACE).min(1),
  apply(places, context) {
    places.forEach((place, i) => {
      const { address, bytes } = resolvePlace(place, i, context)
      try {
        context.cpu.space.write(address, bytes)
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        context.wrong(error.message, '"map" before it makes pages', [i, 'address'])
      }
    })
  },
})

const PAGES = integer(1, 4096)

/** `map: [{ address: 0x7fff0000, attributes: uw }]`: new pages of zeros; those that are mapped keep what they hold. */
export const MAP = setupVerb({
  summary: 'pages: address, attributes (letters w, u, x, s; "" is read-only), pages (default 1)',
  schema: z
    .array(
      z.strictObject({
        address: quantity,
        pages: PAGES.default(1),
        attributes: z.string().regex(/^[wuxs]*$/, { message: 'page attributes are letters: w, u, x, s' }),
      }),
    )
    .min(1),
  apply(areas, context) {
    const { space } = context.cpu
    const frames = new Map(space.pages().map(({ address, physical }) => [address, physical]))
    areas.forEach(({ address, pages, attributes }, i) => {
      takePages(context, pages, i)
      const start = context.address(address, [i, 'address'])
      if (start % BigInt(PAGE_SIZE) !== 0n) {
        context.wrong(`${hex(start)} is no beginning of a page`, 'a page has 4096 bytes', [i, 'address'])
      }
      for (let n = 0; n < pages; n++) {
        const page = BigInt.asUintN(64, start + BigInt(n * PAGE_SIZE))
        space.map(page, pageFlags(attributes), 1, frames.get(page) ?? page)
      }
    })
  },
})

const taken = new WeakMap<Machine, number>()

/** Counts the pages that a scenario maps and unmaps in a machine, and refuses too many. */
function takePages({ machine, wrong }: VerbContext, pages: number, i: number): void {
  const sum = (taken.get(machine) ?? 0) + pages
  taken.set(machine, sum)
  if (sum > LIMITS.pages) wrong('these are too many pages', `most: ${LIMITS.pages} in one cell`, [i])
}

/** `unmap: [{ address: guest_data }]`. */
export const UNMAP = setupVerb({
  summary: 'pages that are not there: address, pages (default 1)',
  schema: z.array(z.strictObject({ address: quantity, pages: PAGES.default(1) })).min(1),
  apply(areas, context) {
    areas.forEach(({ address, pages }, i) => {
      takePages(context, pages, i)
      const start = context.address(address, [i, 'address'])
      context.cpu.space.unmap(start, pages)
    })
  },
})
