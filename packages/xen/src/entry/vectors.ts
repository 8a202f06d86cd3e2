import { VECTOR_DB, VECTOR_DF, VECTOR_MC, VECTOR_NMI, vectorName } from '@trapframe/core'

export const VECTORS = 256
/** The first vector that is no exception. */
export const FIRST_INTERRUPT = 32
/** INT 80h, which goes straight to a guest that registered it, and INT 82h, the hypercall of 32-bit guests. */
export const VECTOR_INT80 = 0x80
export const VECTOR_INT82 = 0x82
/** The interrupt by which a CPU tells another, or itself, to look for softirqs. */
export const EVENT_CHECK_VECTOR = 0xfc

/** Vectors whose gates name an interrupt stack; #DF's handler is its own. */
export const IST_VECTORS: readonly number[] = [VECTOR_NMI, VECTOR_DB, VECTOR_MC, VECTOR_DF]

/** The label of a vector's entry point: `entry_PF`, `entry_NMI`, `entry_int80`, `entry_vec_21`. */
export function entryLabel(vector: number): string {
  if (vector === VECTOR_INT80) return 'entry_int80'
  if (vector === VECTOR_INT82) return 'entry_int82'
  const name = vector < FIRST_INTERRUPT ? vectorName(vector) : ''
  return /^#?[A-Z]+$/.test(name) ? `entry_${name.replace('#', '')}` : `entry_vec_${hex(vector)}`
}

const hex = (vector: number): string => vector.toString(16).padStart(2, '0')
