import type { Cpu } from '../cpu/cpu.js'
import type { Feature } from '../cpu/model.js'
import { PluginError } from '../error.js'
import { gp } from '../event/fault.js'
import type { LayoutBuilder } from '../state/layout.js'

/** What a plugin says of an MSR: its place, its name, and the checks of RDMSR and WRMSR. */
export interface MsrDefinition {
  /** Index as in ECX, 32 bits unsigned. */
  readonly index: number
  /** The manual's name, such as `IA32_FRED_CONFIG`. */
  readonly name: string
  /** RDMSR and WRMSR are #GP(0) on a CPU without this feature (any of them, where several are named). */
  readonly feature?: Feature | readonly Feature[]
  /** Value after reset; 0 where nothing is said. */
  readonly reset?: bigint | ((cpu: Cpu) => bigint)
  /**
   * First word of an existing 64-bit register that the MSR is another name of (EFER, FS.base). Left out, the MSR gets a
   * slot of its own.
   */
  readonly slot?: number
  /**
   * What WRMSR stores: checks the value, throws a Fault ({@link gp0}) if it is refused, returns what goes into the
   * register. Left out, every value is stored as it is.
   */
  readonly write?: (value: bigint, cpu: Cpu) => bigint
  /** What RDMSR returns; left out, the stored value. */
  readonly read?: (value: bigint, cpu: Cpu) => bigint
  /** Called after WRMSR stored a value that changes what the CPU derives from its state. */
  readonly affectsMode?: boolean
}

/** An MSR in its place. */
export interface Msr extends MsrDefinition {
  readonly slot: number
  readonly owner: string
}

/** Throws #GP(0): what an MSR's `write` does with a value that the manual refuses. */
export function gp0(): never {
  throw gp(0)
}

/** The MSRs of a machine. */
export class MsrRegistry {
  readonly #byIndex = new Map<number, Msr>()
  readonly #byName = new Map<string, Msr>()
  readonly #layout: LayoutBuilder

  constructor(layout: LayoutBuilder) {
    this.#layout = layout
  }

  /** @throws PluginError when index or name is taken */
  define(owner: string, definition: MsrDefinition): Msr {
    const taken = this.#byIndex.get(definition.index) ?? this.#byName.get(definition.name)
    if (taken) {
      throw new PluginError(
        'msr-clash',
        `plugins "${taken.owner}" and "${owner}" both define MSR ${hexIndex(definition.index)}: ${taken.name} and ${definition.name}`,
      )
    }
    const msr: Msr = { ...definition, owner, slot: definition.slot ?? this.#layout.register(definition.name) }
    this.#byIndex.set(definition.index, msr)
    this.#byName.set(definition.name, msr)
    return msr
  }

  get(index: number): Msr | undefined {
    return this.#byIndex.get(index >>> 0)
  }

  byName(name: string): Msr | undefined {
    return this.#byName.get(name)
  }

  all(): readonly Msr[] {
    return [...this.#byIndex.values()]
  }
}

function existsOn(cpu: Cpu, msr: Msr | undefined): msr is Msr {
  if (msr === undefined) return false
  const { feature } = msr
  if (feature === undefined) return true
  return typeof feature === 'string' ? cpu.has(feature) : (feature as readonly Feature[]).some((name) => cpu.has(name))
}

/** RDMSR: the value of an MSR. @throws #GP(0) where the CPU has no such MSR */
export function readMsr(cpu: Cpu, index: number): bigint {
  const msr = cpu.machine.msrs.get(index)
  if (!existsOn(cpu, msr)) throw gp(0)
  const value = cpu.get64(msr.slot)
  return msr.read ? msr.read(value, cpu) : value
}

/**
 * The same in halves: returns one, the other goes to `cpu.hi`. A value of the flat state never becomes a bigint here: node
 * 20's compiler crashes where a 64-bit element of a typed array and another bigint meet in one variable of a hot function.
 */
export function readMsrHalves(cpu: Cpu, index: number): number {
  const msr = cpu.machine.msrs.get(index)
  if (!existsOn(cpu, msr)) throw gp(0)
  if (msr.read === undefined) {
    cpu.hi = cpu.words[msr.slot + 1]!
    return cpu.words[msr.slot]!
  }
  const value = msr.read(cpu.get64(msr.slot), cpu)
  cpu.hi = Number(BigInt.asIntN(32, value >> 32n))
  return Number(BigInt.asIntN(32, value))
}

/** WRMSR with all its checks. @throws #GP(0) where the CPU has no such MSR or refuses the value */
export function writeMsr(cpu: Cpu, index: number, value: bigint): void {
  const msr = cpu.machine.msrs.get(index)
  if (!existsOn(cpu, msr)) throw gp(0)
  cpu.set64(msr.slot, msr.write ? BigInt.asUintN(64, msr.write(value, cpu)) : value)
  if (msr.affectsMode) cpu.refresh()
  cpu.observer?.msrWritten?.(cpu, index >>> 0, value)
}

/** An MSR’s index as people write it: `0x1cc`. */
export const hexIndex = (index: number): string => `0x${(index >>> 0).toString(16)}`

/** Whether a value may be written to an MSR that holds a linear address: canonical for the widest address of the CPU. */
export function isCanonicalForMsr(value: bigint, cpu: Cpu): boolean {
  const bits = cpu.model.linearAddressBits
  return BigInt.asUintN(64, BigInt.asIntN(bits, value)) === BigInt.asUintN(64, value)
}

/** The check of MSRs that hold a linear address: the value itself, or #GP(0). */
export function canonicalAddress(value: bigint, cpu: Cpu): bigint {
  return isCanonicalForMsr(value, cpu) ? value : gp0()
}
