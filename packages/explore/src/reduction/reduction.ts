import { type Boot, type Cpu, defineSlot, type Machine, MachineError, type Slot } from '@trapframe/core'
import type { Invariant } from '../invariant/invariant.js'
import type { Alone, SearchOptions } from '../search/options.js'

/**
 * What the author of some software knows of it that makes searches smaller, under a name: see `SearchOptions.alone` and
 * `forget`. A search uses the reductions that its options name, and no others, because each is a promise that only holds where the
 * software is used as it says.
 */
export interface Reduction {
  readonly name: string
  /** One sentence for listings: what it leaves out, and of which software. */
  readonly summary: string
  /** Who is by himself, and when. @throws MachineError where the promise does not hold on this machine */
  alone?(machine: Machine, boot: Boot): Alone
  /** What may be forgotten, and when. */
  forget?(machine: Machine, boot: Boot): (cpu: Cpu) => void
  /** What the reduction takes for granted: judged after each step of a search that uses it, whatever else is. */
  readonly assumes?: readonly Invariant[]
}

/** The reductions that plugins know of. */
export const REDUCTIONS: Slot<Reduction> = defineSlot('explore/reductions', 'all')

/** All that a search leaves out, as one. */
export interface Reductions {
  readonly alone: Alone | null
  readonly forget: ((cpu: Cpu) => void) | null
  readonly assumes: readonly Invariant[]
}

/** What the options of a search say, and the reductions that they name. @throws MachineError for a name that nobody knows */
export function reductionsOf(
  machine: Machine,
  boot: Boot,
  { alone, forget, reductions = [] }: SearchOptions,
): Reductions {
  const used = reductions.map((name) => find(machine, name))
  const forgetters = [forget, ...used.map((one) => one.forget?.(machine, boot))].filter((one) => one !== undefined)
  return {
    alone: anyOf([alone, ...used.map((one) => one.alone?.(machine, boot))].filter((one) => one !== undefined)),
    forget: forgetters.length < 2 ? (forgetters[0] ?? null) : (cpu) => forgetters.forEach((one) => void one(cpu)),
    assumes: used.flatMap(({ assumes = [] }) => assumes),
  }
}

function find(machine: Machine, name: string): Reduction {
  const known = machine.contributions(REDUCTIONS)
  const found = known.find((one) => one.name === name)
  if (found !== undefined) return found.value
  const names = known.map((one) => one.name).join(', ')
  throw new MachineError('unknown-reduction', `unknown reduction "${name}"`, {
    hint: names === '' ? 'no plugin of this machine has one' : `known are ${names}`,
  })
}

/** A CPU is by itself where one of them says so; what happens to it is then what that one says. */
function anyOf(all: readonly Alone[]): Alone | null {
  if (all.length < 2) return all[0] ?? null
  return {
    cpu: (cpu) => all.some((one) => one.cpu(cpu)),
    concerns: (happening, cpu) => all.find((one) => one.cpu(cpu))?.concerns(happening, cpu) ?? false,
  }
}
