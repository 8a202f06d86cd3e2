import type { Cpu } from '../cpu/cpu.js'
import { PAGE_PRESENT, PAGE_SHADOW_STACK, pageLetters } from '../memory/access.js'
import { PAGE_SIZE } from '../memory/physical.js'
import type { StackPointer, StackRegion } from './host.js'

/**
 * Reads a region of a stack map back from the machine: attributes are those of its first page, pointers the ones of
 * `pointers` that lead into it.
 */
export function readStackRegion(
  cpu: Cpu,
  { address, bytes, name, kind }: Pick<StackRegion, 'address' | 'bytes' | 'name' | 'kind'>,
  pointers: readonly StackPointer[],
): StackRegion {
  const flags = cpu.space.flagsAt(address)
  return {
    address,
    bytes,
    name,
    kind,
    attributes: (flags & PAGE_PRESENT) === 0 ? null : pageLetters(flags),
    pointers: pointers.filter(({ value }) => pointsInto(value, address, bytes)),
  }
}

/**
 * A stack of one page below `top` and the guard page below that, top down. What kind of stack it is, the page's attributes
 * tell.
 */
export function readGuardedStack(
  cpu: Cpu,
  { top, name }: { readonly top: bigint; readonly name: string },
  pointers: readonly StackPointer[],
): readonly [stack: StackRegion, guard: StackRegion] {
  const address = top - BigInt(PAGE_SIZE)
  const kind = (cpu.space.flagsAt(address) & PAGE_SHADOW_STACK) !== 0 ? 'shadow-stack' : 'stack'
  const guard = {
    address: address - BigInt(PAGE_SIZE),
    bytes: PAGE_SIZE,
    name: `${name} guard`,
    kind: 'guard',
  } as const
  return [
    readStackRegion(cpu, { address, bytes: PAGE_SIZE, name, kind }, pointers),
    readStackRegion(cpu, guard, pointers),
  ]
}

/** Whether a stack pointer leads into a region: it points just above the first byte that a push writes. */
export const pointsInto = (pointer: bigint, address: bigint, bytes: number): boolean =>
  pointer > address && pointer <= address + BigInt(bytes)

/** Those of `pointers` that none of the regions holds. */
export function pointersElsewhere(
  pointers: readonly StackPointer[],
  regions: readonly StackRegion[],
): readonly StackPointer[] {
  const found = new Set(regions.flatMap((region) => region.pointers))
  return pointers.filter((pointer) => !found.has(pointer))
}
