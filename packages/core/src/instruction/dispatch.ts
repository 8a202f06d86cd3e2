import type { Feature } from '../cpu/model.js'
import { PluginError, UnsupportedError } from '../error.js'
import { ud } from '../event/fault.js'
import type { DeliveryMechanism } from '../event/mechanism.js'
import { Code, type Semantics } from './code.js'
import type { Decoded } from './decoded.js'

/** A meaning for a mnemonic: always, or under one delivery mechanism. */
export interface InstructionDefinition {
  /** The decoder's mnemonic, such as `int` or `erets`. */
  readonly mnemonic: string
  /** The delivery mechanism under which this meaning holds; left out, it holds under all. */
  readonly under?: string
  /** The instruction is #UD on a CPU without this feature. */
  readonly feature?: Feature
  readonly execute: Semantics
}

/** Semantics by mnemonic, as one mechanism sees them. */
export class DispatchTable {
  readonly id: number
  readonly #semantics: ReadonlyMap<string, Semantics>
  readonly #mechanism: string | null

  constructor(id: number, semantics: ReadonlyMap<string, Semantics>, mechanism: string | null) {
    this.id = id
    this.#semantics = semantics
    this.#mechanism = mechanism
  }

  /** A decoded instruction with its meaning. One without meaning throws when it is executed, never before. */
  bind(insn: Decoded): Code {
    return new Code(insn, this.id, this.lookup(insn))
  }

  lookup(insn: Decoded): Semantics {
    return this.#semantics.get(insn.mnemonic) ?? this.#unsupported
  }

  #unsupported: Semantics = (cpu, insn) => {
    const at = (BigInt(cpu.startHi >>> 0) << 32n) | BigInt(cpu.startLo >>> 0)
    throw new UnsupportedError(
      'instruction',
      `instruction "${insn.mnemonic}" at 0x${at.toString(16)} is not modelled${
        this.#mechanism === null ? ' while no delivery mechanism is active' : ` under ${this.#mechanism}`
      }: ${insn.text}`,
    )
  }
}

/** All semantics of a machine. (mnemonic, mechanism) is unique; the tables are built once, when the machine is. */
export class InstructionSet {
  readonly #definitions = new Map<string, (InstructionDefinition & { owner: string })[]>()
  readonly #tables = new Map<string | null, DispatchTable>()

  /** @throws PluginError when the mnemonic already has a meaning there */
  define(owner: string, definition: InstructionDefinition): void {
    const { mnemonic, under } = definition
    const others = this.#definitions.get(mnemonic) ?? []
    const clash = others.find((other) => other.under === undefined || under === undefined || other.under === under)
    if (clash) {
      throw new PluginError(
        'instruction-clash',
        `plugins "${clash.owner}" and "${owner}" both give "${mnemonic}"${
          under === undefined ? '' : ` under ${under}`
        } its semantics`,
        { hint: 'a mnemonic has one meaning, or one for each delivery mechanism (`under`)' },
      )
    }
    this.#definitions.set(mnemonic, [...others, { ...definition, owner }])
  }

  /** The table while `mechanism` is active. */
  table(mechanism: DeliveryMechanism | null): DispatchTable {
    const name = mechanism?.name ?? null
    let table = this.#tables.get(name)
    if (table === undefined) {
      const semantics = new Map<string, Semantics>()
      for (const definition of this.definitions()) {
        if (definition.under !== undefined && definition.under !== name) continue
        semantics.set(definition.mnemonic, guarded(definition))
      }
      table = new DispatchTable(this.#tables.size, semantics, name)
      this.#tables.set(name, table)
    }
    return table
  }

  /** Every definition with its owner, for listings. */
  definitions(): readonly (InstructionDefinition & { owner: string })[] {
    return [...this.#definitions.values()].flat()
  }
}

function guarded({ feature, execute }: InstructionDefinition): Semantics {
  if (feature === undefined) return execute
  return (cpu, insn) => {
    if (!cpu.has(feature)) throw ud()
    execute(cpu, insn)
  }
}
