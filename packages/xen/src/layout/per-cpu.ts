import { PER_CPU } from './memory.js'
import { type Field, placeFields } from './user-regs.js'

/** Variables of each CPU beside its stack, 64 bytes a CPU in one page: Xen's irq_stat and per-CPU data as far as needed. */
export const PER_CPU_FIELDS: readonly Field[] = [
  /** One bit for each softirq that waits. */
  { name: 'softirq_pending', bytes: 4 },
  { name: 'padding', bytes: 4 },
  /** The instruction whose fault was last recovered from by an exception table. */
  { name: 'last_extable_addr', bytes: 8 },
]

/** A CPU's variables begin this many bits up: its number, shifted. */
export const PER_CPU_SHIFT = 6

const placed = placeFields(PER_CPU_FIELDS)

/** Offset of a variable in bytes. */
export const perCpuOffset = (name: string): number => placed.offsets.get(name)!

/** Linear address of a CPU's variable. */
export const perCpuAddress = (cpu: number, name: string): bigint =>
  PER_CPU.linear + BigInt((cpu << PER_CPU_SHIFT) + perCpuOffset(name))
