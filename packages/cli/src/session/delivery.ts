/** What a frame holds, in the manual's terms. A mechanism's view may add fields of its own. */
export interface FrameFields {
  readonly rip: bigint
  readonly cs: number
  readonly rflags: bigint
  readonly rsp: bigint
  readonly ss: number
  /** Absent where the frame has no place for one. */
  readonly errorCode?: number
  /** Event data: the address of #PF, the conditions of #DB. Absent where the frame has no place for it. */
  readonly eventData?: bigint
  readonly [field: string]: bigint | number | boolean | undefined
}

/** A CPU's place in the world, before or after something. */
export interface Standing {
  readonly rip: bigint
  readonly rsp: bigint
  readonly rflags: bigint
  readonly cpl: number
  /** Null where the mechanism has no stack levels. */
  readonly stackLevel: number | null
}

/** One event that was delivered. */
export interface Delivery {
  /** Counted from 1 over the whole run. */
  readonly number: number
  /** The step in which it happened, from 1. */
  readonly step: number
  readonly cpu: number
  /** `#PF`, `NMI`, `INT 0x80`. */
  readonly event: string
  /** The architecture's number of the event's type. */
  readonly type: number
  readonly vector: number
  readonly errorCode: number | null
  readonly nested: boolean
  /** Event data: the address of #PF, the conditions of #DB. */
  readonly eventData: bigint
  readonly mechanism: string
  readonly from: Standing
  readonly to: Standing
  /** What the CPU took the stack from: `IST2`, `RSP0`, `SL3`; null where it stayed on the stack. */
  readonly stack: string | null
  /** What the delivery read from tables: accesses, and bytes in all (A15). */
  readonly reads: { readonly count: number; readonly bytes: number }
  readonly frame: {
    readonly address: bigint
    readonly bytes: number
    /** The stack region or the area of memory that it lies in; null in nobody's. */
    readonly region: string | null
    readonly fields: FrameFields | null
  }
}
