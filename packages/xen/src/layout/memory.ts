import type { MemoryArea } from '@trapframe/core'
import { STACK_BYTES } from './cpu-info.js'
import { PAGE_BYTES } from './stack.js'

/** Where things are: linear addresses as Xen has them, on low physical memory. */

/** Everything physical is also here, at the same offset. */
const DIRECTMAP = 0xffff_8300_0000_0000n
const PAGE = BigInt(PAGE_BYTES)

/** Xen's table from machine frames to those that a guest counts, which guests can read. */
const MACHINE_TO_PHYS = 0xffff_8000_0000_0000n

/** A stretch of linear memory and the frames behind it. */
export interface Mapping {
  readonly linear: bigint
  readonly physical: bigint
  readonly pages: number
}

/** The first page of each: guests find their way to them by mistake. */
export const M2P: Mapping = { linear: MACHINE_TO_PHYS, physical: 0x0248_0000n, pages: 1 }
export const DIRECTMAP_START: Mapping = { linear: DIRECTMAP, physical: 0n, pages: 1 }

/** Xen's own code: entry points, exits, and the places that stand for its C functions. */
export const TEXT: Mapping = { linear: 0xffff_82d0_4020_0000n, physical: 0x0100_0000n, pages: 4 }
/** Where a scenario puts code that runs as part of Xen, and data for it. */
export const HOST_CODE: Mapping = { linear: 0xffff_82d0_4080_0000n, physical: 0x0180_0000n, pages: 4 }
export const HOST_DATA: Mapping = { linear: 0xffff_82d0_4090_0000n, physical: 0x0190_0000n, pages: 4 }

/** What each CPU has for itself beside its stack: see per-cpu.ts. */
export const PER_CPU: Mapping = { linear: 0xffff_82d0_4050_0000n, physical: 0x01a0_0000n, pages: 1 }
/** Code that only the boot runs: entry points as they are before anything is decided, and the boot itself. */
export const EARLY_TEXT: Mapping = { linear: 0xffff_82d0_40a0_0000n, physical: 0x01c0_0000n, pages: 4 }
export const INIT_TEXT: Mapping = { linear: 0xffff_82d0_40a1_0000n, physical: 0x01c1_0000n, pages: 2 }
/** A page of its variables, a page with the command line, and the early IDT. */
export const INIT_DATA: Mapping = { linear: 0xffff_82d0_40b0_0000n, physical: 0x01d0_0000n, pages: 3 }

/** The LSTAR and CSTAR trampolines: a page for each CPU, at the end of Xen's range. */
export const stubPage = (cpu: number): Mapping => ({
  linear: 0xffff_82d0_7fff_f000n - BigInt(cpu) * PAGE,
  physical: 0x0200_0000n + BigInt(cpu) * PAGE,
  pages: 1,
})
export const idtPage = (cpu: number): Mapping => ({
  linear: 0xffff_82d0_4060_0000n + BigInt(cpu) * PAGE,
  physical: 0x0210_0000n + BigInt(cpu) * PAGE,
  pages: 1,
})
/** The TSS, with the interrupt shadow-stack table behind it. */
export const tssPage = (cpu: number): Mapping => ({
  linear: 0xffff_82d0_4070_0000n + BigInt(cpu) * PAGE,
  physical: 0x0220_0000n + BigInt(cpu) * PAGE,
  pages: 1,
})
/** GDT of the vCPU that a CPU runs: 32 pages of address space each, as in Xen's per-domain area. */
export const gdtBase = (cpu: number): bigint => 0xffff_8200_4000_0000n + BigInt(cpu) * 32n * PAGE
/** Frame of Xen's page of that GDT; the guest's pages share a frame of zeros. */
export const gdtFrame = (cpu: number): bigint => 0x0230_0000n + BigInt(cpu) * PAGE
export const ZERO_FRAME = 0x0240_0000n
/** A struct vcpu, with the trap table of a PV guest in the page behind it: the idle one of a CPU and the guest's. */
export const vcpuPage = (cpu: number, whose: 'idle' | 'guest'): Mapping => {
  const physical = 0x0250_0000n + BigInt(2 * cpu + (whose === 'guest' ? 1 : 0)) * 2n * PAGE
  return { linear: DIRECTMAP + physical, physical, pages: 2 }
}
/** vcpu_info, which a CPU's guest shares with Xen: the guest has it at {@link guestVcpuInfo}. */
export const vcpuInfoPage = (cpu: number): Mapping => {
  const physical = 0x0258_0000n + BigInt(cpu) * PAGE
  return { linear: DIRECTMAP + physical, physical, pages: 1 }
}
/** The LDT of the vCPU that a CPU runs: 16 pages of address space, which get their frames when they are first used. */
export const LDT_PAGES = 16
export const ldtBase = (cpu: number): bigint => gdtBase(cpu) + BigInt(LDT_PAGES) * PAGE

/** The stacks, 8 pages each and aligned to as many. */
export const stackOf = (cpu: number): Mapping => {
  const physical = 0x0260_0000n + BigInt(cpu) * BigInt(STACK_BYTES)
  return { linear: DIRECTMAP + physical, physical, pages: STACK_BYTES / PAGE_BYTES }
}

/** Physical address of the page that a CPU's VMXON names; nothing maps it. */
export const vmxonRegion = (cpu: number): bigint => 0x02a0_0000n + BigInt(cpu) * PAGE

/** The guest's memory is mapped to itself. */
const guest = (linear: bigint, pages: number): Mapping => ({ linear, physical: linear, pages })
export const GUEST_CODE = guest(0x40_0000n, 16)
export const GUEST_DATA = guest(0x60_0000n, 16)
/** Valid memory for a stack pointer of somebody's choice: 7ffe0000 to 7fff0000. */
export const GUEST_STACKS = guest(0x7ffe_0000n, 16)
/** The stack that a vCPU starts with. */
export const guestStackOf = (cpu: number): Mapping => guest(0x7f00_0000n + BigInt(cpu) * 4n * PAGE, 4)

/** The page in which a guest finds its vcpu_info. */
export const guestVcpuInfo = (cpu: number): Mapping => ({
  linear: 0x7f80_0000n + BigInt(cpu) * PAGE,
  physical: vcpuInfoPage(cpu).physical,
  pages: 1,
})

/** First byte after a mapping. */
export const endOf = ({ linear, pages }: Mapping): bigint => linear + BigInt(pages) * PAGE

export const areaOf = ({ linear, pages }: Mapping): MemoryArea => ({ address: linear, bytes: pages * PAGE_BYTES })
