import { type CpuModel, defineSlot, type Machine, type Plugin, type Slot } from '@trapframe/core'

/** What a vector and the model disagree on: the first field that differs. */
export interface Mismatch {
  /** `rip`, `gpr.rax`, `memory 0x1000`, `instruction`, … */
  readonly field: string
  readonly expected: string
  readonly actual: string
}

/** What a machine has for vectors that need more than a CPU. */
export interface VectorHost {
  /** Vectors of equal names share a machine. */
  readonly name: string
  /** Plugins that it has besides the runner's. */
  plugins(): readonly Plugin[]
}

/** One recorded experiment, ready to be played. */
export interface Vector {
  /** As recorded, such as `fred/int-n/0007`. */
  readonly id: string
  readonly group: string
  /** Why the recording is doubted; such a vector is skipped. */
  readonly disputed?: string
  /** The CPU that it was recorded on. */
  readonly cpu: CpuModel
  /** What its machine has besides. */
  readonly host?: VectorHost
  /** Plays it on a machine with that CPU, made by the runner and shared by vectors of equal CPUs and hosts. */
  play(machine: Machine): Mismatch | null
}

/**
 * A way of writing vectors down. A file belongs to the format that recognises its first line; every line is then one
 * JSON object of that format.
 */
export interface VectorFormat {
  readonly name: string
  recognises(first: Readonly<Record<string, unknown>>): boolean
  /** @throws Error whose message says what is wrong with this line */
  parse(line: Readonly<Record<string, unknown>>): Vector | readonly Vector[]
}

/** Where plugins add formats. */
export const VECTOR_FORMATS: Slot<VectorFormat> = defineSlot('cli/vector-formats', 'all')
