/** Numbers as the kernel prints them: hexadecimal, without a prefix. */

/** @type {(value: bigint) => string} */
export const hex = (value) => value.toString(16)
/** @type {(value: bigint) => string} */
export const hex4 = (value) => hex(value & 0xffffn).padStart(4, '0')
/** @type {(value: bigint) => string} */
export const hex16 = (value) => hex(value).padStart(16, '0')
