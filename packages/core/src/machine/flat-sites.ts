import type { Cpu } from '../cpu/cpu.js'
import { PAGE_EXECUTABLE, PAGE_USER, PAGE_WRITABLE } from '../memory/access.js'
import type { AddressSpace } from '../memory/address-space.js'
import { PAGE_SIZE } from '../memory/physical.js'
import { encodeDescriptor } from '../segment/encode.js'
import { loadFixedCode, loadFixedStack } from '../segment/fixed.js'
import { DS, ES } from '../state/registers.js'
import { IF, RFLAGS_FIXED } from '../state/rflags.js'
import type { MemoryArea, ProgramSite } from './host.js'
import { codeAccess32, codeAccess64, dataAccess } from './reset.js'

/**
 * What flat hosts have in common, whatever delivers their events: a GDT of flat segments, and places for ring 3 and
 * ring 0 code with their data. Everything is mapped to itself, below 4 GiB, so that 32-bit code reaches it too.
 */
export const FLAT_SITES = {
  GDT: 0x10_0000n,
  /** Where a scenario's ring 0 code goes, and what it may use as data. */
  HOST_CODE: 0x12_0000n,
  HOST_DATA: 0x13_0000n,
  /** Where ring 3 code goes, its data, and the end of its stack. */
  GUEST_CODE: 0x40_0000n,
  GUEST_DATA: 0x50_0000n,
  GUEST_STACK_TOP: 0x60_0000n,
  /** Pages of each of these, except for the GDT's one. */
  SITE_PAGES: 4,
  // Selectors, in the order that IA32_STAR and IA32_SYSENTER_CS want.
  HOST_CS: 0x08,
  HOST_SS: 0x10,
  /** 32-bit code, data, 64-bit code: IA32_STAR[63:48] is the first. */
  GUEST_CS32: 0x1b,
  GUEST_SS: 0x23,
  GUEST_CS64: 0x2b,
} as const

const { GDT, HOST_CODE, HOST_DATA, GUEST_CODE, GUEST_DATA, GUEST_STACK_TOP, SITE_PAGES } = FLAT_SITES
const SITE_BYTES = SITE_PAGES * PAGE_SIZE
const GUEST_STACK = GUEST_STACK_TOP - BigInt(SITE_BYTES)

/** GS base in ring 0, 256 bytes of the host's data for each CPU. */
export const flatHostGsBase = (cpu: number): bigint => HOST_DATA + BigInt(cpu) * 0x100n
/** GS base in ring 3. */
export const flatGuestGsBase = (cpu: number): bigint => GUEST_DATA + BigInt(cpu) * 0x100n

/** Access words by selector. */
const SEGMENTS: readonly (readonly [selector: number, access: number])[] = [
  [FLAT_SITES.HOST_CS, codeAccess64(0)],
  [FLAT_SITES.HOST_SS, dataAccess(0)],
  [FLAT_SITES.GUEST_CS32, codeAccess32(3)],
  [FLAT_SITES.GUEST_SS, dataAccess(3)],
  [FLAT_SITES.GUEST_CS64, codeAccess64(3)],
]

const FLAT = { base: 0n, limit: 0xffff_ffff }

/** Maps the GDT, fills in its flat segments, and maps the sites with their data and the stack of ring 3. */
export function mapFlatSites(space: AddressSpace): void {
  space.map(GDT, PAGE_WRITABLE)
  for (const [selector, access] of SEGMENTS) {
    space.write64(GDT + BigInt(selector & ~7), encodeDescriptor({ ...FLAT, access }))
  }
  space.map(HOST_CODE, PAGE_EXECUTABLE, SITE_PAGES)
  space.map(HOST_DATA, PAGE_WRITABLE, SITE_PAGES)
  space.map(GUEST_CODE, PAGE_USER | PAGE_EXECUTABLE, SITE_PAGES)
  space.map(GUEST_DATA, PAGE_USER | PAGE_WRITABLE, SITE_PAGES)
  space.map(GUEST_STACK, PAGE_USER | PAGE_WRITABLE, SITE_PAGES)
}

/** What {@link mapFlatSites} maps, by owner. */
export const FLAT_SITE_AREAS: Readonly<Record<'guest' | 'host', readonly MemoryArea[]>> = {
  guest: [GUEST_CODE, GUEST_DATA, GUEST_STACK].map((address) => ({ address, bytes: SITE_BYTES })),
  host: [
    { address: GDT, bytes: PAGE_SIZE },
    { address: HOST_CODE, bytes: SITE_BYTES },
    { address: HOST_DATA, bytes: SITE_BYTES },
  ],
}

/** What the sites of a flat host leave to the host. */
export interface FlatSiteStacks {
  /** RSP with which ring 0 code starts. */
  hostStack(cpu: Cpu): bigint
  /** Sets SSP, and its shadow stack's token where there is one, as they are before code at this CPL. */
  setShadowStack(cpu: Cpu, cpl: 0 | 3): void
}

/**
 * Ring 3 code in 64-bit mode, and ring 0 code as if an event had just brought it there: each with flat segments, GS base
 * and KERNEL_GS_BASE of its ring, and IF set.
 */
export function flatSites(stacks: FlatSiteStacks): Readonly<Record<'guest' | 'host', ProgramSite>> {
  return {
    guest: {
      origin: GUEST_CODE,
      capacity: SITE_BYTES,
      cpl: 3,
      enter(cpu) {
        loadFlatSegments(cpu, 3, FLAT_SITES.GUEST_CS64, FLAT_SITES.GUEST_SS)
        cpu.rip = GUEST_CODE
        cpu.rsp = GUEST_STACK_TOP
        cpu.gsBase = flatGuestGsBase(cpu.id)
        cpu.kernelGsBase = flatHostGsBase(cpu.id)
        stacks.setShadowStack(cpu, 3)
      },
    },
    host: {
      origin: HOST_CODE,
      capacity: SITE_BYTES,
      cpl: 0,
      enter(cpu) {
        loadFlatSegments(cpu, 0, FLAT_SITES.HOST_CS, FLAT_SITES.HOST_SS)
        cpu.rip = HOST_CODE
        cpu.rsp = stacks.hostStack(cpu)
        cpu.gsBase = flatHostGsBase(cpu.id)
        cpu.kernelGsBase = flatGuestGsBase(cpu.id)
        stacks.setShadowStack(cpu, 0)
      },
    },
  }
}

function loadFlatSegments(cpu: Cpu, cpl: 0 | 3, cs: number, ss: number): void {
  loadFixedCode(cpu, cs, cpl, 64)
  loadFixedStack(cpu, ss, cpl)
  for (const n of [DS, ES] as const) cpu.setSegment(n, { ...FLAT, selector: ss, access: dataAccess(cpl) })
  cpu.setCpl(cpl)
  cpu.rflags = BigInt(IF | RFLAGS_FIXED)
}
