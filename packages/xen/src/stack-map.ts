import {
  type Cpu,
  isCanonicalForMsr,
  PAGE_PRESENT,
  PAGE_SHADOW_STACK,
  PAGE_WRITABLE,
  pageLetters,
  type StackMap,
  type StackPointer,
  type StackRegion,
} from '@trapframe/core'
import { CPU_INFO, type CpuInfoLayout } from './layout/cpu-info.js'
import { stackOf } from './layout/memory.js'
import { PAGE_BYTES, type StackPart, stackParts } from './layout/stack.js'
import { stackPointers, type TypedPointer } from './stack-pointers.js'

/**
 * The stack of a CPU as the machine has it now: the pages and their attributes from the page table, every pointer from the
 * register or table that holds it (X4, X5, X6).
 */
export function xenStackMap(cpu: Cpu, layout: CpuInfoLayout = CPU_INFO): StackMap {
  const stack = stackOf(cpu.id).linear
  const pointers = stackPointers(cpu)
  const regions = stackParts(layout)
    .flatMap((part) => byAttributes(cpu, part))
    .map((part): StackRegion => {
      const address = stack + BigInt(part.offset)
      const flags = cpu.space.flagsAt(address)
      const kind = kindOf(cpu, part, flags)
      return {
        address,
        bytes: part.bytes,
        name: kind === 'guard' ? `guard (${part.name})` : part.name,
        kind,
        attributes: (flags & PAGE_PRESENT) === 0 ? null : pageLetters(flags),
        pointers: pointers
          .filter(({ value }) => leadsInto(value, address, part.bytes))
          .map((pointer) => asPointer(pointer, pointer.kind !== kind)),
      }
    })
  const found = new Set(regions.flatMap((region) => region.pointers.map(({ source }) => source)))
  return {
    cpu: cpu.id,
    delivery: cpu.mechanism?.name ?? 'none',
    regions,
    elsewhere: pointers
      .filter(({ source }) => !found.has(source))
      .map((pointer) => asPointer(pointer, !isCanonicalForMsr(pointer.value, cpu))),
  }
}

/** A stack grows down: what a pointer leads to is the byte below it. A token under it is still its shadow stack's. */
const leadsInto = (value: bigint, address: bigint, bytes: number): boolean =>
  value > address && value <= address + BigInt(bytes)

/** A pointer into a stack of another kind, and one that is not canonical, is poison: nothing can be pushed there. */
const asPointer = ({ source, use, value }: TypedPointer, poison: boolean): StackPointer => ({
  source,
  use: poison ? `${use}: poison` : use,
  value,
})

/** A part of the stack, cut where the attributes of its pages differ. Top down, like the parts themselves. */
function byAttributes(cpu: Cpu, part: StackPart): StackPart[] {
  const stack = stackOf(cpu.id).linear
  const cut: StackPart[] = []
  let end = part.offset + part.bytes
  while (end > part.offset) {
    let start = Math.max(part.offset, pageStart(end - 1))
    const flags = cpu.space.flagsAt(stack + BigInt(start))
    while (start > part.offset && cpu.space.flagsAt(stack + BigInt(pageStart(start - 1))) === flags) {
      start = Math.max(part.offset, pageStart(start - 1))
    }
    cut.push({ ...part, offset: start, bytes: end - start })
    end = start
  }
  return cut
}

const pageStart = (offset: number): number => Math.floor(offset / PAGE_BYTES) * PAGE_BYTES

/** What a part is, by what its pages allow: whatever its role, nothing that cannot be written is a stack. */
function kindOf(cpu: Cpu, part: StackPart, flags: number): StackRegion['kind'] {
  if ((flags & PAGE_SHADOW_STACK) !== 0) return cpu.supervisorShadowStack ? 'shadow-stack' : 'guard'
  if ((flags & PAGE_WRITABLE) === 0) return 'guard'
  return part.role === 'data' ? 'data' : 'stack'
}
