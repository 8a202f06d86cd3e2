/** What is known about one event, whoever told it; null where nothing was told. */
export interface EventFacts {
  /** FRED's type of the event; null where only a vector was told, as under the IDT. */
  readonly type: number | null
  readonly vector: number
  readonly errorCode: bigint | null
  /** FRED's event data. */
  readonly eventData: bigint | null
  /** CS and RIP as they were saved. */
  readonly cs: number | null
  readonly rip: bigint | null
}

/** One line of an explanation. */
export interface Field {
  /** `type`, `error code`, `RIP`, … */
  readonly name: string
  /** As it was found: `4`, `0x2b`. */
  readonly value: string
  /** What it says; empty where the name says it all. */
  readonly meaning: string
}

/** The ring that was interrupted; null where no CS was told. */
export const ringOf = ({ cs }: Pick<EventFacts, 'cs'>): number | null => (cs === null ? null : cs & 3)

export const hex = (value: bigint | number): string => `0x${value.toString(16)}`
export const address = (value: bigint): string => `0x${value.toString(16).padStart(16, '0')}`
