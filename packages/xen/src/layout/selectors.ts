/**
 * Xen's selectors and the GDT page behind them. The first 14 pages of the GDT belong to the guest, Xen's descriptors are
 * in the page that follows.
 */

export const FIRST_RESERVED_GDT_BYTE = 0xe000
/** Pages of the guest's part. */
export const GUEST_GDT_PAGES = FIRST_RESERVED_GDT_BYTE / 4096
export const GDT_LIMIT = FIRST_RESERVED_GDT_BYTE + 0xfff

/** Xen’s own code and data segments. */
export const HYPERVISOR_CS = 0xe008
export const HYPERVISOR_DS32 = 0xe010
/** A 64-bit guest's kernel runs in ring 3 with the same ones, which Xen then calls FLAT_KERNEL_…. */
export const FLAT_USER_CS32 = 0xe023
export const FLAT_USER_SS = 0xe02b
export const FLAT_USER_CS64 = 0xe033
export const TSS_SELECTOR = 0xe040
export const LDT_SELECTOR = 0xe050

/** STAR: SYSRET's selectors from E023 on, SYSCALL's from E008 on. */
export const STAR_VALUE = (BigInt(FLAT_USER_CS32) << 48n) | (BigInt(HYPERVISOR_CS) << 32n)

const CODE64 = 0x00af_9b00_0000_ffffn
const CODE32 = 0x00cf_9b00_0000_ffffn
const DATA = 0x00cf_9300_0000_ffffn
const RING3 = 0x0000_6000_0000_0000n

/** The flat descriptors by selector. */
export const FLAT_DESCRIPTORS: readonly (readonly [selector: number, descriptor: bigint])[] = [
  [HYPERVISOR_CS, CODE64],
  [HYPERVISOR_DS32, DATA],
  [FLAT_USER_CS32, CODE32 | RING3],
  [FLAT_USER_SS, DATA | RING3],
  [FLAT_USER_CS64, CODE64 | RING3],
]

const PRESENT = 0x80

/** The 16-byte descriptor of a present 64-bit TSS of a type, as two quadwords. `limit` in bytes, below 64 KiB. */
export function tssDescriptor(base: bigint, limit: number, type: number): readonly [low: bigint, high: bigint] {
  const access = BigInt(PRESENT | type)
  const low = BigInt(limit) | ((base & 0xff_ffffn) << 16n) | (access << 40n) | (((base >> 24n) & 0xffn) << 56n)
  return [low, base >> 32n]
}
