/**
 * What the tests of a plugin can build on: contracts that a delivery mechanism and a host must keep, and a toy instruction
 * set and mechanism for tests that want neither.
 */

export {
  type ContractCheck,
  ContractError,
  type ContractOptions,
  contract,
  contractFindings,
} from './contract.js'
export { CONTRACT_EVENTS } from './delivery-attempt.js'
export { type HostContract, hostContract } from './host-contract.js'
export { type MechanismContract, type MechanismSetUp, mechanismContract } from './mechanism-contract.js'
export { toyIsa } from './toy-isa.js'
export { type ToyMechanismOptions, toyMechanism } from './toy-mechanism.js'
