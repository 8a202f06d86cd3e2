import type { CpuModel, Feature } from '../cpu/model.js'
import { PluginError } from '../error.js'
import type { InterruptController } from '../event/interrupt-controller.js'
import type { DeliveryMechanism } from '../event/mechanism.js'
import type { Decoder } from '../instruction/decoded.js'
import type { InstructionDefinition } from '../instruction/dispatch.js'
import type { HostKind } from '../machine/host.js'
import type { Device } from '../memory/device.js'
import type { Msr, MsrDefinition } from '../msr/registry.js'
import type { HappeningSource } from '../schedule/choice.js'
import type { Region, RegionDeclaration } from '../state/layout.js'
import type { Observer } from '../trace/observer.js'
import { defineSlot, type Slot } from './slot.js'

/** A bit of CR4 that a plugin gives a meaning. */
export interface Cr4Bit {
  readonly bit: number
  readonly name: string
  /** The bit can be set only on a CPU with this feature. */
  readonly feature: Feature
  /** MOV to CR4 may set the bit only in long mode. */
  readonly longModeOnly?: boolean
}

/** The slots that core declares; other packages declare theirs with {@link defineSlot}. */
export const DECODER: Slot<Decoder> = defineSlot('core/decoder', 'one')
export const MECHANISMS: Slot<DeliveryMechanism> = defineSlot('core/mechanisms', 'all')
export const HOSTS: Slot<HostKind> = defineSlot('core/hosts', 'all')
export const CPU_MODELS: Slot<CpuModel> = defineSlot('core/cpu-models', 'all')
export const OBSERVERS: Slot<Observer> = defineSlot('core/observers', 'all')
export const INTERRUPT_CONTROLLER: Slot<InterruptController> = defineSlot('core/interrupt-controller', 'one')
export const DEVICES: Slot<Device> = defineSlot('core/devices', 'all')
/** What may happen beside the steps of CPUs. */
export const HAPPENINGS: Slot<HappeningSource> = defineSlot('core/happenings', 'all')

/** The door through which a plugin contributes. It is open during `setup` only. */
export interface PluginHost {
  /** Defines an MSR. @throws PluginError when index or name is taken */
  readonly msrs: { define(definition: MsrDefinition): Msr }
  /** Gives a mnemonic its semantics. @throws PluginError when it has them already */
  readonly instructions: { define(definition: InstructionDefinition): void }
  /** Says that a CPU feature works: models that enumerate it then show it. */
  readonly features: { implement(...features: readonly Feature[]): void }
  /** Gives a bit of CR4 a meaning. */
  readonly cr4: { define(bit: Cr4Bit): void }
  /** Declares flat state that is snapshotted with the rest. */
  readonly regions: { declare(declaration: RegionDeclaration): Region }
  /** Puts an answer into a slot. `precedence` matters for slots that take the first. */
  add<T>(slot: Slot<T>, name: string, value: T, options?: { readonly precedence?: number }): void
}

/** A plugin: a name, and what it adds to a machine. */
export interface Plugin {
  /** Unique in a machine. */
  readonly name: string
  /** Names of plugins that must be loaded too; `core` always is. */
  readonly requires?: readonly string[]
  /** What it was made with; part of the machine's recipe, so it must survive JSON. */
  readonly options?: unknown
  /** Module from which the plugin can be loaded again (`@trapframe/idt`), for recipes. */
  readonly specifier?: string
  setup(host: PluginHost): void
}

/** Under this key a plugin carries the core that it was defined with: found by other copies of core too. */
const CORE = Symbol.for('trapframe.core')
/** This copy of core. */
const THIS_CORE = { url: import.meta.url }

/** A plugin, with its types checked. It remembers which copy of core it was defined with. */
export function definePlugin(plugin: Plugin): Plugin {
  return Object.isExtensible(plugin) ? Object.defineProperty(plugin, CORE, { value: THIS_CORE }) : plugin
}

/**
 * Refuses a plugin of another copy of core: its faults are not this core's faults, so that the first one that it throws
 * would be a defect and no event.
 */
function checkCore(plugin: Plugin): void {
  const other = (plugin as { readonly [CORE]?: { readonly url: string } })[CORE]
  if (other === undefined || other === THIS_CORE) return
  throw new PluginError(
    'core-twice',
    `plugin "${plugin.name}" was made with another copy of @trapframe/core, and a program can have one only`,
    {
      hint:
        `this one is ${THIS_CORE.url}, the plugin's ${other.url}; ` +
        'the plugin names core as a peer dependency, does not bundle it, and is installed beside it',
    },
  )
}

/**
 * Plugins in the order in which they are set up: what is required comes first, equals by name. The order of listing
 * does not matter.
 *
 * @throws PluginError for a plugin of another copy of core, a plugin loaded twice, a missing requirement or a circle of requirements
 */
export function orderPlugins(plugins: readonly Plugin[]): Plugin[] {
  const byName = new Map<string, Plugin>()
  for (const plugin of plugins) {
    checkCore(plugin)
    if (byName.has(plugin.name)) {
      throw new PluginError(
        'plugin-twice',
        `plugin "${plugin.name}" is loaded twice: "${plugin.name}" and "${plugin.name}"${
          plugin.specifier ? ` (${plugin.specifier})` : ''
        }`,
        { hint: 'list it once; two plugins cannot share a name' },
      )
    }
    byName.set(plugin.name, plugin)
  }
  const ordered: Plugin[] = []
  const state = new Map<string, 'open' | 'done'>()
  const visit = (plugin: Plugin, path: readonly string[]): void => {
    if (state.get(plugin.name) === 'done') return
    if (state.get(plugin.name) === 'open') {
      throw new PluginError('plugin-circle', `plugins require each other: ${[...path, plugin.name].join(' → ')}`)
    }
    state.set(plugin.name, 'open')
    for (const name of [...(plugin.requires ?? [])].sort()) {
      if (name === 'core') continue
      const required = byName.get(name)
      if (!required) {
        throw new PluginError('plugin-missing', `plugin "${plugin.name}" requires "${name}", which is not loaded`, {
          hint: `add "${name}" to the plugins`,
        })
      }
      visit(required, [...path, plugin.name])
    }
    state.set(plugin.name, 'done')
    ordered.push(plugin)
  }
  for (const name of [...byName.keys()].sort()) visit(byName.get(name)!, [])
  return ordered
}
