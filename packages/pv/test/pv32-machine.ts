import { createMachine } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { xen } from '@trapframe/xen'
import { vectorEntry } from '../src/guest/entry-points.js'
import { ANCHORS } from '../src/guest/memory.js'
import type { Stop } from '../src/guest/pv-guest.js'
import { pv } from '../src/plugin.js'
import { KERNEL_ARGUMENTS, Pv32Guest, RING1_STACK } from '../src/pv32/guest.js'
import { FLAT_RING1_CS, FLAT_RING1_SS, FLAT_RING3_CS, FLAT_RING3_SS } from '../src/pv32/selectors.js'

const SET_TRAP_TABLE = 0
export const STACK_SWITCH = 3

/** An entry of the trap table: its flags have the DPL; the selector is that of ring 1 unless given. */
export type CompatTrap = readonly [vector: number, flags: number, cs?: number]

/** A 32-bit guest under PVShim with a trap table and a kernel stack, and ways to run a few instructions in it. */
export interface Pv32Bench {
  readonly guest: Pv32Guest
  reset(): void
  setTraps(...entries: readonly CompatTrap[]): number
  /** Goes to user code by an iret hypercall. */
  user(source: string, eflags?: bigint): Stop
  /** Doublewords of the frame at the handler that was entered. */
  frame(count: number): number[]
}

export const xenPlugins = () => [isa(), idt(), fred(), xen(), pv()]

export function pv32Bench(...traps: readonly CompatTrap[]): Pv32Bench {
  const guest = new Pv32Guest(createMachine({ cpu: 'panther-lake', plugins: xenPlugins() }))
  function setTraps(...entries: readonly CompatTrap[]): number {
    const words = entries.flatMap(([vector, flags, cs = FLAT_RING1_CS]) => [
      vector | (flags << 8) | (cs << 16),
      vectorEntry(vector),
    ])
    guest.setWords(KERNEL_ARGUMENTS, ...words, 0, 0)
    return guest.hypercall(SET_TRAP_TABLE, KERNEL_ARGUMENTS)
  }
  const results = [setTraps(...traps), guest.hypercall(STACK_SWITCH, FLAT_RING1_SS, RING1_STACK)]
  if (results.some((result) => result !== 0)) throw new Error(`Xen refused: ${results.join(', ')}`)
  const start = guest.machine.snapshot()
  return {
    guest,
    setTraps,
    reset() {
      guest.machine.restore(start)
      guest.log.length = 0
    },
    user(source, eflags = 0x202n) {
      guest.placeUser(source)
      return guest.iret({ eip: ANCHORS.code, cs: FLAT_RING3_CS, eflags, ss: FLAT_RING3_SS })
    },
    frame: (count) => guest.words(guest.cpu.rsp, count),
  }
}
