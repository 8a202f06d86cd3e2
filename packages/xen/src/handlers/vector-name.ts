import { VECTOR_NMI, vectorName } from '@trapframe/core'

/** Vectors that Xen has a name for though they are no exceptions of today: coprocessor segment overrun, spurious interrupt. */
const OTHER_NAMES: Readonly<Record<number, string>> = { 9: 'CSO', 15: 'SPV', [VECTOR_NMI]: 'NMI' }

/** A vector as Xen's messages call it. */
export function xenVectorName(vector: number): string {
  if (OTHER_NAMES[vector] !== undefined) return OTHER_NAMES[vector]
  const name = vector < 32 ? vectorName(vector) : ''
  return name.startsWith('#') ? name : '???'
}

/** Four hexadecimal digits, or sixteen for an address: the widths that Xen prints. */
export const hex4 = (value: number): string => value.toString(16).padStart(4, '0')
export const hex16 = (value: bigint): string => value.toString(16).padStart(16, '0')
