import type { MemoryArea } from '@trapframe/core'

/** Where the flat machine keeps things. Everything is mapped to itself, below 4 GiB, so that 32-bit code reaches it too. */

export const PAGE = 0x1000n

export const GDT = 0x10_0000n
/** The page that IA32_FRED_CONFIG points at. */
export const ENTRY_PAGE = 0x11_0000n
export const RING0_ENTRY = ENTRY_PAGE + 0x100n
/** Where a scenario's ring 0 code goes, and what it may use as data. */
export const HOST_CODE = 0x12_0000n
export const HOST_DATA = 0x13_0000n
/** Where ring 3 code goes, its data, and the end of its stack. */
export const GUEST_CODE = 0x40_0000n
export const GUEST_DATA = 0x50_0000n
export const GUEST_STACK_TOP = 0x60_0000n
export const SITE_PAGES = 4

/** The stacks of a CPU take 64 KiB; the four levels lie in it one above the other, each with a guard page below. */
const STACKS = 0x100_0000n
const CPU_STRIDE = 0x1_0000n
const LEVEL_STRIDE = 0x2000n
const SHADOW_STACKS = 0x8000n

/** Top of the stack of a level. */
export const stackTop = (cpu: number, level: number): bigint =>
  STACKS + BigInt(cpu) * CPU_STRIDE + BigInt(level + 1) * LEVEL_STRIDE

/** Top of the shadow stack of a level. */
export const shadowTop = (cpu: number, level: number): bigint => stackTop(cpu, level) + SHADOW_STACKS

/** GS base in ring 0 and, until software changes it, in ring 3. */
export const hostGsBase = (cpu: number): bigint => HOST_DATA + BigInt(cpu) * 0x100n
export const guestGsBase = (cpu: number): bigint => GUEST_DATA + BigInt(cpu) * 0x100n

// Selectors, in the order that IA32_STAR wants.
export const HOST_CS = 0x08
export const HOST_SS = 0x10
/** 32-bit code, data, 64-bit code: IA32_STAR[63:48] is the first. */
export const GUEST_CS32 = 0x1b
export const GUEST_SS = 0x23
export const GUEST_CS64 = 0x2b

/** The GDT: null, then the five selectors in order; all flat. */
export const GDT_ENTRIES: readonly bigint[] = [
  0n,
  0x00af_9b00_0000_ffffn,
  0x00cf_9300_0000_ffffn,
  0x00cf_fb00_0000_ffffn,
  0x00cf_f300_0000_ffffn,
  0x00af_fb00_0000_ffffn,
]

/** Ring 3 enters here: ERETU. Ring 0, 256 bytes on: ERETS. A scenario may put its own code over them. */
export const ENTRY_CODE: readonly (readonly [address: bigint, bytes: readonly number[]])[] = [
  [ENTRY_PAGE, [0xf3, 0x0f, 0x01, 0xca]],
  [RING0_ENTRY, [0xf2, 0x0f, 0x01, 0xca]],
]

/** Who owns which memory. */
export function memoryAreas(cpus: number): Readonly<Record<'guest' | 'host', readonly MemoryArea[]>> {
  const site = SITE_PAGES * Number(PAGE)
  return {
    guest: [
      { address: GUEST_CODE, bytes: site },
      { address: GUEST_DATA, bytes: site },
      { address: GUEST_STACK_TOP - BigInt(site), bytes: site },
    ],
    host: [
      { address: GDT, bytes: Number(PAGE) },
      { address: ENTRY_PAGE, bytes: Number(PAGE) },
      { address: HOST_CODE, bytes: site },
      { address: HOST_DATA, bytes: site },
      { address: STACKS, bytes: cpus * Number(CPU_STRIDE) },
    ],
  }
}
