/** Linux's selectors and the GDT behind them, in the order that IA32_STAR wants. */

export const KERNEL_CS = 0x10
export const KERNEL_DS = 0x18
export const USER32_CS = 0x23
export const USER_DS = 0x2b
export const USER_CS = 0x33
export const TSS_SELECTOR = 0x40

export const GDT_BYTES = 128

/** SYSCALL and FRED take CS and SS of ring 0 from bits 47:32, SYSRET and ERETU those of ring 3 from bits 63:48. */
export const STAR_VALUE = (BigInt(USER32_CS) << 48n) | (BigInt(KERNEL_CS) << 32n)

const CODE64 = 0x00af_9b00_0000_ffffn
const CODE32 = 0x00cf_9b00_0000_ffffn
const DATA = 0x00cf_9300_0000_ffffn
const RING3 = 0x0000_6000_0000_0000n

/** The flat descriptors by selector. @type {readonly (readonly [selector: number, descriptor: bigint])[]} */
export const DESCRIPTORS = [
  [KERNEL_CS, CODE64],
  [KERNEL_DS, DATA],
  [USER32_CS, CODE32 | RING3],
  [USER_DS, DATA | RING3],
  [USER_CS, CODE64 | RING3],
]

const AVAILABLE_TSS = 0x89n

/**
 * The 16-byte descriptor of an available 64-bit TSS, as two quadwords.
 *
 * @param {bigint} base
 * @param {number} limit in bytes, below 64 KiB
 * @returns {readonly [low: bigint, high: bigint]}
 */
export function tssDescriptor(base, limit) {
  const low = BigInt(limit) | ((base & 0xff_ffffn) << 16n) | (AVAILABLE_TSS << 40n) | (((base >> 24n) & 0xffn) << 56n)
  return [low, base >> 32n]
}
