import { type Boot, defineSlot, type Machine, type Slot } from '@trapframe/core'
import type { Call, Outcome } from '../handlers/context.js'

/** What a part of Xen adds to a booted machine. */
export interface PlacedPart {
  /** Addresses that scenarios and traces may name. */
  readonly labels: ReadonlyMap<string, bigint>
  /** Memory that is Xen's, and memory of others by owner. */
  readonly areas?: Boot['areas']
  readonly facts?: NonNullable<Boot['facts']>
}

/**
 * A part of Xen that a plugin brings: code and data of its own, and what Xen's handlers leave to it. It keeps what lasts in
 * simulated memory or declared regions.
 */
export interface XenPart {
  /** Puts it into memory, once every CPU has booted. */
  place(machine: Machine, boot: Boot): PlacedPart
  /**
   * Asked by the handler of an exception or NMI before Xen does anything about it; null leaves it to Xen. A function that
   * takes over as `gone` finds the return address of Xen's own function on the stack, and returns 0 in RAX.
   */
  exception?(call: Call, vector: number): Outcome | null
  /** Where a CPU goes after the message of a panic; null leaves it where it is, for good. */
  panicked?(call: Call): bigint | null
}

/** Parts of Xen beyond entry, exit and boot; the first answer counts. */
export const XEN_PARTS: Slot<XenPart> = defineSlot('xen/parts', 'all')

/** The first answer that a part gives to a question. */
export function askParts<T>(
  { machine }: { readonly machine: Machine },
  question: (part: XenPart) => T | null,
): T | null {
  for (const { value } of machine.contributions(XEN_PARTS)) {
    const answer = question(value)
    if (answer !== null) return answer
  }
  return null
}

/** Places every part in a booted machine, and says what there is to say with them in it. */
export function placeParts(machine: Machine, boot: Boot): Boot {
  let placed = boot
  for (const { value } of machine.contributions(XEN_PARTS)) {
    const { labels, areas = {}, facts } = value.place(machine, placed)
    const before = placed
    const owners = new Set([...Object.keys(before.areas), ...Object.keys(areas)])
    placed = {
      ...before,
      labels: new Map([...before.labels, ...labels]),
      areas: Object.fromEntries(
        [...owners].map((name) => [name, [...(before.areas[name] ?? []), ...(areas[name] ?? [])]]),
      ),
      ...(facts === undefined
        ? {}
        : {
            // Copied with its getters, which compute what few ask for.
            facts: (cpu) => {
              const all = before.facts?.(cpu) ?? {}
              return Object.defineProperties(
                {},
                {
                  ...Object.getOwnPropertyDescriptors(all),
                  ...Object.getOwnPropertyDescriptors(facts(cpu)),
                },
              ) as Readonly<Record<string, unknown>>
            },
          }),
    }
  }
  return placed
}
