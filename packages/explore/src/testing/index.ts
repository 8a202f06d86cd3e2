/** What the tests of an invariant can build on. */

export { type InvariantContract, type InvariantSetUp, invariantContract } from './invariant-contract.js'
