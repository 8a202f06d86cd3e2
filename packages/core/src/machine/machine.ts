import { Cpu } from '../cpu/cpu.js'
import { CPU_PRESETS, type CpuModel, type Feature, resolveCpuModel } from '../cpu/model.js'
import { MachineError, PluginError } from '../error.js'
import type { InterruptController } from '../event/interrupt-controller.js'
import type { DeliveryMechanism } from '../event/mechanism.js'
import type { Decoded, Decoder } from '../instruction/decoded.js'
import { InstructionSet } from '../instruction/dispatch.js'
import { type StepResult, step } from '../instruction/step.js'
import { AddressSpace } from '../memory/address-space.js'
import { foldInteger, highTerm, lowTerm } from '../memory/hash.js'
import { type Frame, PhysicalMemory } from '../memory/physical.js'
import { ARCHITECTURAL_MSRS } from '../msr/architectural.js'
import { MsrRegistry } from '../msr/registry.js'
import {
  CPU_MODELS,
  type Cr4Bit,
  DECODER,
  DEVICES,
  HOSTS,
  INTERRUPT_CONTROLLER,
  MECHANISMS,
  OBSERVERS,
  orderPlugins,
  type Plugin,
} from '../plugin/plugin.js'
import { Contributions, type Slot } from '../plugin/slot.js'
import { CLOCK_REGION } from '../schedule/clock.js'
import { type Layout, LayoutBuilder } from '../state/layout.js'
import { composeObservers } from '../trace/compose.js'
import type { Observer } from '../trace/observer.js'
import { Trace } from '../trace/trace.js'
import { FlatHash } from './flat-hash.js'
import type { Boot, BootRequest } from './host.js'
import { resetCpu } from './reset.js'
import { type HostRoutine, ROUTINE_MNEMONIC, routineInstruction, runRoutine } from './routine.js'
import type { Snapshot } from './snapshot.js'

/** Features that core implements by itself. */
const CORE_FEATURES: readonly Feature[] = [
  'nx',
  'syscall',
  'fsgsbase',
  'smep',
  'smap',
  'umip',
  'pcid',
  'xsave',
  'mce',
  'la57',
  'cet-ss',
  'cet-ibt',
]

/** What {@link createMachine} makes a machine from. */
export interface MachineOptions {
  /** A preset with edits (`panther-lake,-lkgs`) or a model of your own. */
  readonly cpu: string | CpuModel
  /** How many CPUs, 1–64; default 1. */
  readonly cpus?: number
  readonly plugins?: readonly Plugin[]
}

/** What it takes to make an equal machine elsewhere; survives JSON. */
export interface Recipe {
  readonly cpu: string
  readonly cpus: number
  /** Module and options of each plugin. */
  readonly plugins: readonly (readonly [specifier: string, options: unknown])[]
}

/**
 * A machine: CPUs, memory and what plugins add. Everything that can change while it runs is in its flat state, its
 * frames and its page tables, so that a snapshot forgets nothing.
 *
 * @throws MachineError for an unknown CPU, PluginError for plugins that do not fit together
 */
export function createMachine(options: MachineOptions): Machine {
  return new Machine(options)
}

/** CPUs, memory, and what plugins added to them. */
export class Machine {
  readonly model: CpuModel
  readonly plugins: readonly Plugin[]
  readonly layout: Layout
  readonly memory = new PhysicalMemory()
  readonly msrs: MsrRegistry
  readonly instructions = new InstructionSet()
  readonly cpus: readonly Cpu[]
  /** The machine's own part of the flat state, where regions of scope `machine` lie. */
  readonly words: Int32Array
  readonly decoder: Decoder | null
  /** What interrupts come through, where a plugin has one. */
  readonly interruptController: InterruptController | null
  readonly trace: Trace
  /** Bits of CR4 that plugins gave a meaning. */
  readonly cr4Bits: readonly Cr4Bit[]
  /** High half of the last {@link hashHalves}. */
  hashHi = 0
  readonly #state: Int32Array
  #tables: ReadonlyMap<bigint, ReadonlyMap<number, number>> = new Map()
  readonly #flat: FlatHash
  readonly #contributions = new Contributions()
  readonly #mechanisms: readonly DeliveryMechanism[]
  readonly #spaces = new Map<bigint, AddressSpace>()
  #observers: readonly Observer[] = []
  #quiet = false
  readonly #routines = new Map<bigint, HostRoutine>()

  constructor(options: MachineOptions) {
    this.plugins = orderPlugins(options.plugins ?? [])
    const layout = new LayoutBuilder()
    layout.region('core', CLOCK_REGION)
    this.msrs = new MsrRegistry(layout)
    const implemented = new Set<Feature>(CORE_FEATURES)
    const cr4Bits: (Cr4Bit & { owner: string })[] = []
    for (const msr of ARCHITECTURAL_MSRS) this.msrs.define('core', msr)
    this.instructions.define('core', { mnemonic: ROUTINE_MNEMONIC, execute: runRoutine })
    for (const plugin of this.plugins) {
      plugin.setup({
        msrs: { define: (definition) => this.msrs.define(plugin.name, definition) },
        instructions: { define: (definition) => this.instructions.define(plugin.name, definition) },
        features: {
          implement: (...features) => {
            for (const feature of features) implemented.add(feature)
          },
        },
        cr4: {
          define: (bit) => {
            const clash = cr4Bits.find((other) => other.bit === bit.bit)
            if (clash) {
              throw new PluginError(
                'cr4-clash',
                `plugins "${clash.owner}" and "${plugin.name}" both define CR4 bit ${bit.bit}: ${clash.name} and ${bit.name}`,
              )
            }
            cr4Bits.push({ ...bit, owner: plugin.name })
          },
        },
        regions: { declare: (declaration) => layout.region(plugin.name, declaration) },
        add: (slot, name, value, { precedence = 0 } = {}) =>
          this.#contributions.add(slot, { name, value, plugin: plugin.name, precedence }),
      })
    }
    this.cr4Bits = cr4Bits
    this.model = this.#resolveModel(options.cpu, implemented)
    this.decoder = this.#contributions.first(DECODER) ?? null
    this.interruptController = this.#contributions.first(INTERRUPT_CONTROLLER) ?? null
    for (const { value } of this.#contributions.all(DEVICES)) this.memory.attach(value)
    this.#mechanisms = this.#contributions.all(MECHANISMS).map(({ value }) => value)
    this.layout = layout.build()
    const count = options.cpus ?? 1
    if (!Number.isInteger(count) || count < 1 || count > 64) {
      throw new MachineError('cpu-count', `${count} CPUs are not possible`, { hint: 'a machine has 1 to 64 CPUs' })
    }
    const { machineWords, cpuWords } = this.layout
    this.#state = new Int32Array(machineWords + count * cpuWords)
    this.words = this.#state.subarray(0, machineWords)
    this.#flat = new FlatHash(this.#state, this.layout, count)
    const features = new Set([...this.model.features].filter((feature) => implemented.has(feature)))
    this.cpus = Array.from({ length: count }, (_, id) => {
      const start = machineWords + id * cpuWords
      return new Cpu(this, id, this.#state.subarray(start, start + cpuWords), features)
    })
    this.trace = new Trace(() => this.#observe())
    for (const cpu of this.cpus) resetCpu(cpu)
    this.#observe()
  }

  /** The boot CPU. */
  get cpu(): Cpu {
    return this.cpus[0]!
  }

  /** The address space that CR3 = `cr3` selects; it is made, empty, when first asked for. Vectors use 0. */
  space(cr3: bigint): AddressSpace {
    let space = this.#spaces.get(cr3)
    if (space === undefined) {
      space = new AddressSpace(this.memory)
      this.#spaces.set(cr3, space)
    }
    return space
  }

  /** The mechanism that is active under these control registers, or null. */
  mechanismFor(cr4: bigint, efer: bigint): DeliveryMechanism | null {
    let fallback: DeliveryMechanism | null = null
    for (const mechanism of this.#mechanisms) {
      if (mechanism.fallback) {
        fallback = mechanism
        continue
      }
      const { cr4: onCr4, efer: onEfer } = mechanism.activeWhen
      if (onCr4 && (cr4 & onCr4.mask) !== onCr4.value) continue
      if (onEfer && (efer & onEfer.mask) !== onEfer.value) continue
      return mechanism
    }
    return fallback
  }

  /** All answers in a slot, by falling precedence, then by name. */
  contributions<T>(slot: Slot<T>): readonly { readonly name: string; readonly value: T; readonly plugin: string }[] {
    return this.#contributions.all(slot)
  }

  /** Boots a host kind by name. @throws MachineError when no plugin provides it or it refuses the request */
  boot(host: string, request: BootRequest = {}): Boot {
    const kind = this.#contributions.get(HOSTS, host)
    if (!kind) {
      const known = this.#contributions.all(HOSTS).map(({ name }) => name)
      throw new MachineError('unknown-host', `unknown host "${host}"`, {
        hint: known.length > 0 ? `known are ${known.join(', ')}` : 'no loaded plugin provides a host',
      })
    }
    return kind.boot(this, request)
  }

  /**
   * Binds a host routine to an address: when a CPU gets there, the routine runs as one step instead of the bytes.
   * Part of setting a machine up; not part of its state.
   */
  bindRoutine(address: bigint, routine: HostRoutine): void {
    this.#routines.set(BigInt.asUintN(64, address), routine)
  }

  /** The instruction that stands for a routine bound to a linear address. */
  routineAt(lo: number, hi: number): Decoded | undefined {
    if (this.#routines.size === 0) return undefined
    const routine = this.#routines.get((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0))
    return routine && routineInstruction(routine)
  }

  /** One step of a CPU: see `step`. */
  step(cpu: number = 0): StepResult {
    return step(this.cpus[cpu]!)
  }

  /** Adds an observer for as long as the returned function is not called. */
  observe(observer: Observer): () => void {
    this.#observers = [...this.#observers, observer]
    this.#observe()
    return () => {
      this.#observers = this.#observers.filter((other) => other !== observer)
      this.#observe()
    }
  }

  /**
   * Runs something that only the observers of plugins hear of, which keep declared state: those of {@link observe} and
   * the trace are told nothing.
   */
  quietly<T>(action: () => T): T {
    const outer = this.#quiet
    this.#quiet = true
    this.#observe()
    try {
      return action()
    } finally {
      this.#quiet = outer
      this.#observe()
    }
  }

  /** A line that host software prints. */
  log(text: string, cpu: Cpu | null = null): void {
    ;(cpu ?? this.cpu).observer?.log?.(cpu, text)
  }

  /**
   * The state now. Costs a copy of the flat state and of one pointer a page.
   *
   * @param spent a snapshot of this machine that nobody needs any more: its arrays are used again
   */
  snapshot(spent?: Snapshot): Snapshot {
    const tables = this.shareTables()
    if (spent === undefined || spent.layout !== this.layout.hash || spent.state.length !== this.#state.length) {
      return { layout: this.layout.hash, state: this.#state.slice(), frames: this.memory.share(), tables }
    }
    spent.state.set(this.#state)
    return { layout: spent.layout, state: spent.state, frames: this.memory.share(spent.frames as Frame[]), tables }
  }

  /** The page tables of all address spaces, by CR3: the last answer again while none has changed. */
  shareTables(): ReadonlyMap<bigint, ReadonlyMap<number, number>> {
    const last = this.#tables
    let same = last.size === this.#spaces.size
    for (const [cr3, space] of this.#spaces) same = last.get(cr3) === space.share() && same
    if (same) return last
    const tables = new Map<bigint, ReadonlyMap<number, number>>()
    for (const [cr3, space] of this.#spaces) tables.set(cr3, space.share())
    this.#tables = tables
    return tables
  }

  /** Takes back what {@link shareTables} gave. */
  adoptTables(tables: ReadonlyMap<bigint, ReadonlyMap<number, number>>): void {
    for (const [cr3, space] of this.#spaces) space.adopt(tables.get(cr3) ?? NO_PAGES)
  }

  /** Goes back to a snapshot. @throws MachineError when it is of a machine with another layout */
  restore(snapshot: Snapshot): void {
    if (snapshot.layout !== this.layout.hash || snapshot.state.length !== this.#state.length) {
      throw new MachineError(
        'foreign-snapshot',
        `the snapshot has layout ${snapshot.layout}, this machine ${this.layout.hash}`,
        { hint: 'restore it on a machine with the same plugins, versions and number of CPUs' },
      )
    }
    this.#state.set(snapshot.state)
    this.memory.adopt(snapshot.frames)
    this.adoptTables(snapshot.tables)
    for (const cpu of this.cpus) cpu.refreshIfChanged()
  }

  /**
   * Goes back to `snapshot` and gives up `spent`, a later one, which is empty then: the frames that only it has are used again.
   * No third snapshot that is still needed may have been taken since the machine last was in `snapshot`.
   */
  restoreAfter(spent: Snapshot, snapshot: Snapshot): void {
    this.restore(snapshot)
    this.memory.reclaim(spent.frames as Frame[], snapshot.frames)
  }

  /**
   * Hash of the whole state, 64 bits: equal states have equal hashes, whatever way led to them. Frames that did not
   * change since the last call cost nothing. Volatile regions and what {@link ignoreInHash} names do not count.
   */
  hash(): bigint {
    const lo = this.hashHalves()
    return (BigInt(lo >>> 0) << 32n) | BigInt(this.hashHi >>> 0)
  }

  /** The same in halves and without allocating: returns one, the other goes to `hashHi`. For searches. */
  hashHalves(): number {
    const flat = this.#flat
    flat.update()
    const memory = this.memory.hash()
    let lo = (flat.lo + memory.lo) | 0
    let hi = (flat.hi + memory.hi) | 0
    for (const [cr3, space] of this.#spaces) {
      const table = space.hash()
      if (table.lo === 0 && table.hi === 0) continue
      const place = foldInteger(Number(cr3)) ^ SPACE_SEED
      lo = (lo + lowTerm(table.lo, place)) | 0
      hi = (hi + highTerm(table.hi, place)) | 0
    }
    this.hashHi = hi
    return lo
  }

  /**
   * Makes hashes pass over memory that must not distinguish states, such as a counter that only reports read: `bytes`
   * bytes from physical `address` on. Part of setting a machine up; not part of its state.
   */
  ignoreInHash(address: bigint, bytes: number): void {
    this.memory.ignoreInHash(address, bytes)
  }

  /**
   * Makes hashes count the CPUs of each group in no order: states that differ only in which of them does what become one.
   * None for the usual hash. Part of setting a machine up; whether CPUs are interchangeable its author must know.
   */
  interchangeInHash(groups: readonly (readonly number[])[]): void {
    this.#flat.interchange(groups)
  }

  /** Whether the state is, byte for byte, that of a snapshot. */
  equals(snapshot: Snapshot): boolean {
    if (snapshot.layout !== this.layout.hash || snapshot.state.some((word, i) => word !== this.#state[i])) return false
    const now = this.memory.frames
    for (let i = 0; i < Math.max(now.length, snapshot.frames.length); i++) {
      const before = snapshot.frames[i]
      const after = now[i]
      if (before === after) continue
      for (let offset = 0; offset < 4096; offset++) {
        if ((before?.bytes[offset] ?? 0) !== (after?.bytes[offset] ?? 0)) return false
      }
    }
    return [...this.#spaces].every(([cr3, space]) => sameTable(space.share(), snapshot.tables.get(cr3) ?? new Map()))
  }

  /** What it takes to make this machine again. @throws MachineError when a plugin does not say where it comes from */
  recipe(): Recipe {
    return {
      cpu: this.model.name,
      cpus: this.cpus.length,
      plugins: this.plugins.map((plugin) => {
        if (plugin.specifier === undefined) {
          throw new MachineError('no-recipe', `plugin "${plugin.name}" names no module to load it from`, {
            hint: 'give the plugin a `specifier`',
          })
        }
        return [plugin.specifier, plugin.options ?? null] as const
      }),
    }
  }

  #resolveModel(cpu: string | CpuModel, implemented: ReadonlySet<Feature>): CpuModel {
    if (typeof cpu !== 'string') return cpu
    const presets = [...CPU_PRESETS, ...this.#contributions.all(CPU_MODELS).map(({ value }) => value)]
    return resolveCpuModel(
      cpu,
      presets,
      new Set([...implemented, ...presets.flatMap((preset) => [...preset.features])]),
    )
  }

  #observe(): void {
    const observers = this.#contributions.all(OBSERVERS).map(({ value }) => value)
    if (!this.#quiet) {
      const tracing = this.trace.observer()
      observers.push(...this.#observers, ...(tracing === null ? [] : [tracing]))
    }
    const observer = composeObservers(observers)
    for (const cpu of this.cpus) {
      cpu.observer = observer
      cpu.watch()
    }
  }
}

const NO_PAGES: ReadonlyMap<number, number> = new Map()

/** Sets the terms of page tables apart from those of pages and of the flat state. */
const SPACE_SEED = 0x3c6ef372

function sameTable(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): boolean {
  if (a === b) return true
  if (a.size !== b.size) return false
  for (const [page, entry] of a) if (b.get(page) !== entry) return false
  return true
}
