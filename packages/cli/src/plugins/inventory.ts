import { type Combine, createMachine, type Plugin, type PluginHost, UserError } from '@trapframe/core'

/** Things of one kind that a plugin contributes. */
export interface Contributed {
  /** `MSRs`, `instructions`, or the name of a slot. */
  readonly kind: string
  /** How answers of several plugins combine, for slots. */
  readonly combine?: Combine
  readonly names: readonly string[]
}

/** A plugin, and what it contributes. */
export interface Inventory {
  readonly plugin: string
  /** Where it comes from: a module, or the config. */
  readonly from: string
  readonly requires: readonly string[]
  readonly options: unknown
  readonly contributes: readonly Contributed[]
  /** Why it cannot be loaded beside the ones before it; null where it can. */
  readonly problem: { readonly code: string; readonly message: string; readonly hint: string | null } | null
}

/** A plugin and where it was found. */
export interface FoundPlugin {
  readonly plugin: Plugin
  readonly from: string
}

/** What `own` brings is there; every one of `more` is then loaded beside all that fits, and what does not fit is told. */
export function takeInventory(own: readonly FoundPlugin[], more: readonly FoundPlugin[]): readonly Inventory[] {
  const fitting = own.map(({ plugin }) => plugin)
  const problems = new Map<FoundPlugin, UserError>()
  let waiting = [...more]
  for (let before = -1; waiting.length !== before; ) {
    before = waiting.length
    waiting = waiting.filter((one) => {
      const problem = problemOf([...fitting, one.plugin])
      if (problem === null) fitting.push(one.plugin)
      else problems.set(one, problem)
      if (problem === null) problems.delete(one)
      return problem !== null
    })
  }
  return [...own, ...more].map((found) => {
    const { plugin, from } = found
    const problem = problems.get(found)
    return {
      plugin: plugin.name,
      from,
      requires: plugin.requires ?? [],
      options: plugin.options ?? null,
      contributes: contributionsOf(plugin),
      problem:
        problem === undefined ? null : { code: problem.code, message: problem.message, hint: problem.hint ?? null },
    }
  })
}

/** What speaks against a machine with these plugins. */
function problemOf(plugins: readonly Plugin[]): UserError | null {
  try {
    createMachine({ cpu: 'panther-lake', plugins })
    return null
  } catch (error) {
    if (error instanceof UserError) return error
    throw error
  }
}

/**
 * What a plugin contributes, overheard while it is set up on a machine of its own: what others have it does not clash with
 * there, and what it requires is not looked at.
 */
function contributionsOf(plugin: Plugin): readonly Contributed[] {
  const lists = new Map<string, { combine?: Combine; names: string[] }>()
  const note = (kind: string, name: string, combine?: Combine): void => {
    const list = lists.get(kind) ?? { ...(combine === undefined ? {} : { combine }), names: [] }
    list.names.push(name)
    lists.set(kind, list)
  }
  const overheard: Plugin = {
    name: plugin.name,
    setup: (host) => plugin.setup(overhear(host, note)),
  }
  try {
    createMachine({ cpu: 'panther-lake', plugins: [overheard] })
  } catch (error) {
    // A setup() that is refused has said until then what it contributes; the reason is told as its problem.
    if (!(error instanceof UserError)) throw error
  }
  return [...lists].map(([kind, { combine, names }]) => ({ kind, ...(combine ? { combine } : {}), names }))
}

/** A host that hears what a plugin says, and passes it on. */
function overhear(host: PluginHost, note: (kind: string, name: string, combine?: Combine) => void): PluginHost {
  return {
    msrs: {
      define(definition) {
        note('MSRs', `${definition.name} (${(definition.index >>> 0).toString(16)}h)`)
        return host.msrs.define(definition)
      },
    },
    instructions: {
      define(definition) {
        const { mnemonic, under } = definition
        note(under === undefined ? 'instructions' : `instructions under ${under}`, mnemonic)
        host.instructions.define(definition)
      },
    },
    features: {
      implement(...features) {
        for (const feature of features) note('CPU features', feature)
        host.features.implement(...features)
      },
    },
    cr4: {
      define(bit) {
        note('CR4 bits', `${bit.name} (${bit.bit})`)
        host.cr4.define(bit)
      },
    },
    regions: {
      declare(declaration) {
        note('state', `${declaration.name} (${declaration.scope}, ${declaration.bytes} bytes)`)
        return host.regions.declare(declaration)
      },
    },
    add(slot, name, value, options) {
      note(slot.name, name, slot.combine)
      host.add(slot, name, value, options)
    },
  }
}
