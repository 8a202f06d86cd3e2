import { AC, CF, type Cpu, DF, IF, NT, OF, PF, RF, SF, TF, VM, ZF } from '@trapframe/core'

export const hex = (value: bigint | number): string => `0x${value.toString(16)}`

/** Bytes of memory whatever the attributes; null where some of them are not mapped. */
export function peek(cpu: Cpu, address: bigint, length: number): DataView | null {
  const last = BigInt.asUintN(64, address + BigInt(length - 1))
  if (cpu.space.flagsAt(address) === 0 || cpu.space.flagsAt(last) === 0) return null
  return new DataView(cpu.space.read(address, length).buffer)
}

/** Whether an address is canonical for a CPU, as a whole. */
export function canonical(cpu: Cpu, address: bigint): boolean {
  const top = BigInt.asIntN(64, address) >> BigInt(cpu.canonicalShift + 32)
  return top === 0n || top === -1n
}

const FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [CF, 'CF'],
  [PF, 'PF'],
  [ZF, 'ZF'],
  [SF, 'SF'],
  [TF, 'TF'],
  [IF, 'IF'],
  [DF, 'DF'],
  [OF, 'OF'],
  [NT, 'NT'],
  [RF, 'RF'],
  [VM, 'VM'],
  [AC, 'AC'],
]

/** `RFLAGS 0x246 → 0x2: PF, ZF, IF cleared`. */
export function flagsChange(before: bigint, after: bigint): string {
  if (before === after) return `RFLAGS ${hex(before)} as it was`
  const named = (bits: bigint): string =>
    FLAGS.filter(([bit]) => (bits & BigInt(bit)) !== 0n)
      .map(([, name]) => name)
      .join(', ')
  const cleared = named(before & ~after)
  const set = named(after & ~before)
  const parts = [cleared && `${cleared} cleared`, set && `${set} set`].filter(Boolean)
  return `RFLAGS ${hex(before)} → ${hex(after)}${parts.length === 0 ? '' : `: ${parts.join(', ')}`}`
}

/** Steps from their numbers: `words(map)` of those that say something. */
export function wordsOf(entries: Iterable<readonly [step: number, text: string | null]>): ReadonlyMap<number, string> {
  const words = new Map<number, string>()
  for (const [step, text] of entries) if (text !== null) words.set(step, text)
  return words
}
