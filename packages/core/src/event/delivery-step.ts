/** The parts of a delivery, in words that fit every mechanism, so that two can be laid side by side. */
export type DeliveryStage = 'entry point' | 'stack' | 'frame' | 'shadow stack' | 'registers'

/**
 * One step of a mechanism's delivery as data, from which its documentation is written and its order tested: a check
 * with its fault, or what is done where nothing can fail.
 */
export interface DeliveryStep {
  readonly stage: DeliveryStage
  /** What must hold, or what is done. */
  readonly text: string
  /** What is thrown where it does not hold; left out where the step cannot fail. */
  readonly fault?: {
    readonly vector: number
    /** What the error code is made of: `gate`, `selector`, `EXT`; left out for #PF, whose error code is its own. */
    readonly errorCode?: string
  }
  /** Where the manual has it. */
  readonly manual: string
}
