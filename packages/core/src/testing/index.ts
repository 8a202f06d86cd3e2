/** What the tests of a plugin can build on, without a real instruction set or delivery mechanism. */

export { toyIsa } from './toy-isa.js'
export { type ToyMechanismOptions, toyMechanism } from './toy-mechanism.js'
