import type { Cpu } from '../cpu/cpu.js'
import type { Machine } from './machine.js'

/** What a scenario asks of a host. */
export interface BootRequest {
  /** The delivery mechanism wanted, by name; the host translates it into its own terms. */
  readonly delivery?: string
  /** A command line in the host's own syntax. Giving both is an error. */
  readonly cmdline?: string
  /** Switches of the host; it rejects those that it does not know. */
  readonly options?: Readonly<Record<string, unknown>>
}

/** Where a scenario may put a program, and how a CPU gets there. */
export interface ProgramSite {
  /** First byte of the program. */
  readonly origin: bigint
  /** Bytes that fit. */
  readonly capacity: number
  /** CPL at which it runs. */
  readonly cpl: 0 | 3
  /** Puts the CPU at the origin, with the segments, flags and stack that such code starts with. */
  enter(cpu: Cpu): void
}

/** A stretch of a CPU's stack area, read back from the machine. */
export interface StackRegion {
  /** Lowest byte. */
  readonly address: bigint
  readonly bytes: number
  /** `#DF`, `primary`, `guard`, … */
  readonly name: string
  readonly kind: 'stack' | 'shadow-stack' | 'guard' | 'data'
  /** `w`, `u`, `x`, `s`; empty for read-only; null where nothing is mapped. */
  readonly attributes: string | null
  /** Every pointer into the region, as the machine holds it now. */
  readonly pointers: readonly StackPointer[]
}

/** A pointer into a region of a stack area, and where the CPU finds it. */
export interface StackPointer {
  /** `IA32_FRED_RSP0`, `TSS.IST1`, … */
  readonly source: string
  /** What uses it: `SL0`, `IST2 (NMI)`, … */
  readonly use: string
  readonly value: bigint
}

/** The stack area of one CPU. */
export interface StackMap {
  readonly cpu: number
  readonly delivery: string
  readonly regions: readonly StackRegion[]
  /** Pointers that lead to none of the regions, poison among them. */
  readonly elsewhere: readonly StackPointer[]
}

/** A stretch of memory that belongs to somebody. */
export interface MemoryArea {
  /** Lowest byte. */
  readonly address: bigint
  readonly bytes: number
}

/** A booted host. */
export interface Boot {
  /** Name of the mechanism that delivers now. */
  readonly delivery: string
  /** Why it is that one. */
  readonly reasons: readonly string[]
  /** What the host printed. */
  readonly log: readonly string[]
  /** Addresses that scenarios and traces may name. */
  readonly labels: ReadonlyMap<string, bigint>
  /**
   * `guest` at least; `host` where code may run at CPL 0; `boot` where the boot itself can be run again: a CPU that enters
   * it is as it was before its first instruction.
   */
  readonly sites: Readonly<Record<string, ProgramSite>>
  /** Memory by owner, for expectations: `guest`, `host`. */
  readonly areas: Readonly<Record<string, readonly MemoryArea[]>>
  /** The stack map, read back from the machine's registers, tables and page attributes as they are now. */
  stackMap(cpu: Cpu): StackMap
  /**
   * GS bases with which ring 0 code of a CPU uses memory through GS; what ring 3 code sets is its own. Left out, the host
   * does not use GS, or does not say.
   */
  hostGsBases?(cpu: Cpu): readonly bigint[]
  /** Where the host's software stops for good after a panic: the first instruction. Left out, it never does, or does not say. */
  readonly panicStop?: bigint
  /** Whose code a CPU runs at CPL 3 now, by its name in `areas`. Left out, it is the `guest`'s. */
  owner?(cpu: Cpu): string
  /**
   * What else there is to say about a booted CPU, by names of the host's own and as data for reports: what the machine
   * holds is read back from it as it is now. Left out, nothing.
   */
  facts?(cpu: Cpu): Readonly<Record<string, unknown>>
}

/** A kind of software under the events: sets a machine up and says where things are. */
export interface HostKind {
  readonly name: string
  /** One sentence for listings. */
  readonly summary: string
  /** Names of the mechanisms that it can run on. */
  readonly deliveries: readonly string[]
  /** Names of the options that it knows, with a sentence each. */
  readonly options: Readonly<Record<string, string>>
  /** @throws MachineError for an option or a delivery that it does not know, or one that it cannot have */
  boot(machine: Machine, request: BootRequest): Boot
}
