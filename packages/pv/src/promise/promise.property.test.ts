import { createMachine, UnsupportedError } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { xen } from '@trapframe/xen'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { initialise } from '../guest/initial-state.js'
import { PvGuest } from '../guest/pv-guest.js'
import { pv } from '../plugin.js'
import { guestPrograms } from './arbitrary.js'
import { compareDeliveries, type Divergence } from './compare.js'
import { KINDS } from './kinds.js'
import { printDifferences, printProgram } from './print.js'
import type { GuestProgram } from './program.js'
import { breaksPromise, searchKinds } from './search.js'

type Revision = 'rfc' | 'upstream'

/** Compares programs on two machines that are booted once. An instruction that is not modelled shows nothing. */
function comparison(revision: Revision, cpu = 'panther-lake'): (program: GuestProgram) => readonly Divergence[] {
  const both = (['idt', 'fred'] as const).map((delivery) => {
    const plugins = [isa(), idt(), fred({ int1Conditions: 'pending' }), xen(), pv()]
    const guest = new PvGuest(createMachine({ cpu, plugins }), { revision, delivery, cmdline: 'cet=no-ibt' })
    initialise(guest)
    return { guest, before: guest.machine.snapshot() }
  })
  const [first, second] = both.map(({ guest }) => guest)
  return (program) => {
    for (const { guest, before } of both) {
      guest.machine.restore(before)
      guest.forgetLog()
    }
    try {
      return compareDeliveries({ idt: first!, fred: second! }, program)
    } catch (thrown) {
      if (thrown instanceof UnsupportedError) return []
      throw thrown
    }
  }
}

const inWords = (program: GuestProgram, found: readonly Divergence[]): string =>
  [...printProgram(program), ...found.flatMap((each) => printDifferences(each).map((row) => row.join(' | ')))].join(
    '\n',
  )

/** Few: the bulk is run by .ci/pv-differences.mjs, on the built packages. */
const options = { numRuns: 60, seed: 20261122 }

describe('P1: a PV guest cannot tell the delivery', { timeout: 60_000 }, () => {
  test.each(['panther-lake', 'zen6'])(
    'revision rfc on %s: random programs see what the CPU shows, and nothing else',
    (cpu) => {
      const compare = comparison('rfc', cpu)
      fc.assert(
        fc.property(guestPrograms, (program) => {
          const found = compare(program).filter(breaksPromise)
          if (found.length > 0) throw new Error(inWords(program, found))
        }),
        options,
      )
    },
  )

  test('revision upstream: whatever random programs see is of one of the kinds that are known', () => {
    const compare = comparison('upstream')
    fc.assert(
      fc.property(guestPrograms, (program) => {
        const found = compare(program).filter(({ unexplained }) => unexplained.length > 0)
        if (found.length > 0) throw new Error(inWords(program, found))
      }),
      options,
    )
  })

  test('a search on revision upstream finds a kind by itself, and shrinks its program to the one instruction that it takes', () => {
    const rewind = KINDS.find(({ number }) => number === 5)!
    const found = searchKinds(comparison('upstream'), { seed: 1, programs: 400 }, [rewind]).get(rewind)
    expect(found?.program.before).toEqual([])
    expect(found?.program.code).toEqual(['sysenter'])
  })

  test('the kinds that the promise leaves out are those that the CPU itself shows: 9 to 13, the rewind of 4, and what the search found', () => {
    const kept = KINDS.filter(({ byTheCpu }) => byTheCpu === true)
    expect(kept.map(({ number }) => number)).toEqual([4, 9, 10, 11, 12, 13, 15])
    expect(kept.find(({ number }) => number === 4)!.about).toContain('RIP goes back')
    expect(kept.filter(({ unrecorded }) => unrecorded === true).map(({ number }) => number)).toEqual([15])
  })
})
