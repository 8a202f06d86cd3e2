/** Machine code for a trapframe machine: decoding, assembling and the semantics of ordinary instructions. */

export { type AssembleOptions, assemble, type Program, type ProgramLine } from './assemble/assemble.js'
export { AssemblyError } from './assemble/error.js'
export { createDecoder } from './decode/decoder.js'
export { isa } from './plugin.js'
export { cpuid } from './semantics/identification.js'
export { readTimeStamp } from './semantics/time-stamp.js'
