import {
  type RaisedEvent,
  VECTOR_AC,
  VECTOR_BP,
  VECTOR_BR,
  VECTOR_CP,
  VECTOR_DB,
  VECTOR_DE,
  VECTOR_DF,
  VECTOR_GP,
  VECTOR_MC,
  VECTOR_MF,
  VECTOR_NM,
  VECTOR_NMI,
  VECTOR_NP,
  VECTOR_OF,
  VECTOR_PF,
  VECTOR_SS,
  VECTOR_TS,
  VECTOR_UD,
  VECTOR_VE,
  VECTOR_XM,
  vectorName,
} from '@trapframe/core'

/** An event that can be sent to a stack of its own, by a gate's IST or by a stack level. */
export interface FirstEvent {
  readonly name: string
  /** What the gate or the level goes by; null for maskable interrupts, which have one level together under FRED. */
  readonly vector: number | null
  readonly event: RaisedEvent
}

/** The vector of the interrupt that is sent; any from 32 on would do. */
export const INTERRUPT_VECTOR = 0x40

const EXCEPTIONS = [
  VECTOR_DE,
  VECTOR_DB,
  VECTOR_BR,
  VECTOR_UD,
  VECTOR_NM,
  VECTOR_DF,
  VECTOR_TS,
  VECTOR_NP,
  VECTOR_SS,
  VECTOR_GP,
  VECTOR_PF,
  VECTOR_MF,
  VECTOR_AC,
  VECTOR_MC,
  VECTOR_XM,
  VECTOR_VE,
  VECTOR_CP,
] as const

/** Every event that can have a stack of its own. INT n, SYSCALL and SYSENTER have level 0 under FRED whatever is set. */
export const FIRST_EVENTS: readonly FirstEvent[] = [
  { name: 'interrupt', vector: null, event: { kind: 'externalInterrupt', vector: INTERRUPT_VECTOR } },
  { name: 'NMI', vector: VECTOR_NMI, event: { kind: 'nmi' } },
  { name: 'INT1', vector: VECTOR_DB, event: { kind: 'int1' } },
  { name: 'INT3', vector: VECTOR_BP, event: { kind: 'int3' } },
  { name: 'INTO', vector: VECTOR_OF, event: { kind: 'into' } },
  ...EXCEPTIONS.map(
    (vector): FirstEvent => ({ name: vectorName(vector), vector, event: { kind: 'hardwareException', vector } }),
  ),
]
