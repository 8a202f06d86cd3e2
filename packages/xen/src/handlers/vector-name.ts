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

/** FRED's event types as Xen's messages call them. */
const TYPE_NAMES = ['EXT_INTR', '???', 'NMI', 'HW_EXC', 'SW_INT', 'PRIV_SW_EXEC', 'SW_EXEC', 'OTHER'] as const
export const eventTypeName = (type: number): string => TYPE_NAMES[type] ?? '???'

/** The vectors of type 7. */
const OTHER_EVENT_NAMES = ['MTF', 'SYSCALL', 'SYSENTER'] as const
export const otherEventName = (vector: number): string => OTHER_EVENT_NAMES[vector] ?? '???'
