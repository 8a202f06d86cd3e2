import { FLAT_SITE_AREAS, FLAT_SITES, flatGuestGsBase, flatHostGsBase, type MemoryArea } from '@trapframe/core'

/** Where the flat machine keeps things: besides what every flat host has, an entry page and the stacks. */

export const PAGE = 0x1000n

/** The GDT with its selectors, and the places for code of either ring: those of every flat host. */
export const { GDT, HOST_CODE, HOST_DATA, HOST_CS, HOST_SS, GUEST_CODE, GUEST_DATA, GUEST_CS32 } = FLAT_SITES
export const hostGsBase = flatHostGsBase
export const guestGsBase = flatGuestGsBase

/** The page that IA32_FRED_CONFIG points at. */
export const ENTRY_PAGE = 0x11_0000n
export const RING0_ENTRY = ENTRY_PAGE + 0x100n

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

/** Ring 3 enters here: ERETU. Ring 0, 256 bytes on: ERETS. A scenario may put its own code over them. */
export const ENTRY_CODE: readonly (readonly [address: bigint, bytes: readonly number[]])[] = [
  [ENTRY_PAGE, [0xf3, 0x0f, 0x01, 0xca]],
  [RING0_ENTRY, [0xf2, 0x0f, 0x01, 0xca]],
]

/** Who owns which memory. */
export function memoryAreas(cpus: number): Readonly<Record<'guest' | 'host', readonly MemoryArea[]>> {
  return {
    guest: FLAT_SITE_AREAS.guest,
    host: [
      ...FLAT_SITE_AREAS.host,
      { address: ENTRY_PAGE, bytes: Number(PAGE) },
      { address: STACKS, bytes: cpus * Number(CPU_STRIDE) },
    ],
  }
}
