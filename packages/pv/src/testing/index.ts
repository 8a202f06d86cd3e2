/** Guests that are programs by chance: for tests of what a PV guest can see of the delivery, and of what a bad guest can do. */

export { DEFECTS, type Defect } from '../fuzz/defects.js'
export { type Finding, Fuzzer, type FuzzOptions, type FuzzResult, printFinding } from '../fuzz/fuzz.js'
export { Violation } from '../fuzz/watch.js'
export { guestPrograms } from '../promise/arbitrary.js'
export {
  compareDeliveries,
  type Divergence,
  type FieldDifference,
  type GuestPair,
  type Moment,
} from '../promise/compare.js'
export { KIND_NUMBERS, KINDS, type Kind } from '../promise/kinds.js'
export type { Observed } from '../promise/observe.js'
export { place, printDifferences, printProgram } from '../promise/print.js'
export type { GuestProgram, ProgramStart, SetUpStep } from '../promise/program.js'
export {
  breaksPromise,
  type Comparison,
  type FoundKind,
  type SearchOptions,
  searchBrokenPromise,
  searchKinds,
} from '../promise/search.js'
