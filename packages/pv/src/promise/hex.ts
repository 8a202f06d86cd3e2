/** A number as assembler text and people have it: two's complement of 64 bits, in hex. */
export const hex = (value: bigint | number): string => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`
