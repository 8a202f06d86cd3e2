import { type Cpu, PAGE_SIZE, pageFlags } from '@trapframe/core'
import { z } from 'zod'
import { integer, quantity } from '../../scenario/schema.js'
import { hex } from '../../session/symbols.js'
import { MEMORY_PLACE, resolvePlace } from '../memory-place.js'
import { setupVerb } from '../slots.js'

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
    areas.forEach(({ address, pages, attributes }, i) => {
      const start = context.address(address, [i, 'address'])
      if (start % BigInt(PAGE_SIZE) !== 0n) {
        context.wrong(`${hex(start)} is no beginning of a page`, 'a page has 4096 bytes', [i, 'address'])
      }
      for (let n = 0; n < pages; n++) mapPage(context.cpu, start + BigInt(n * PAGE_SIZE), pageFlags(attributes))
    })
  },
})

/** A page that is mapped keeps its frame. */
function mapPage({ space }: Cpu, page: bigint, flags: number): void {
  const physical = space.flagsAt(page) === 0 ? page : space.pages().find(({ address }) => address === page)!.physical
  space.map(page, flags, 1, physical)
}

/** `unmap: [{ address: guest_data }]`. */
export const UNMAP = setupVerb({
  summary: 'pages that are not there: address, pages (default 1)',
  schema: z.array(z.strictObject({ address: quantity, pages: PAGES.default(1) })).min(1),
  apply(areas, context) {
    areas.forEach(({ address, pages }, i) => {
      const start = context.address(address, [i, 'address'])
      context.cpu.space.unmap(start, pages)
    })
  },
})
