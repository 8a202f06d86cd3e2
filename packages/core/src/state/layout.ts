import { PluginError } from '../error.js'
import { CORE_LAYOUT_VERSION, CORE_WORDS } from './registers.js'

/** Who has one of a region: the machine as a whole, or each of its CPUs. */
export type RegionScope = 'machine' | 'cpu'

/** A piece of flat state that a plugin declares for itself. It is snapshotted, restored, compared and hashed like the rest. */
export interface RegionDeclaration {
  /** Unique over all plugins; by custom `plugin/what`. */
  readonly name: string
  readonly scope: RegionScope
  /** Size in bytes, fixed; rounded up to a multiple of 8. */
  readonly bytes: number
  /**
   * What the region holds must not distinguish states: hashes pass over it. For counters and notes that nothing but
   * reports reads; snapshots and comparisons hold it like the rest.
   */
  readonly volatile?: boolean
  /**
   * How many words of the region, from its first, may be other than zero in a state: the rest is zero. Saves hashes the
   * way through a table that is mostly empty. `first` is the region's first word in `words`.
   */
  readonly used?: (words: Int32Array, first: number) => number
  /** Change it when the meaning of the bytes changes: snapshots of another version are refused. */
  readonly version: number
}

/** A region in its place: the first 32-bit word, counted from the start of the machine's or the CPU's part. */
export interface Region extends RegionDeclaration {
  readonly slot: number
  readonly words: number
}

/** The declared layout of a machine's flat state: one part for the machine, then one of equal size for each CPU. */
export interface Layout {
  readonly machineWords: number
  readonly cpuWords: number
  readonly regions: ReadonlyMap<string, Region>
  /** Identifies the layout: two machines with equal hashes can exchange snapshots. */
  readonly hash: string
}

/** Collects the words that core, MSRs and plugins need, in the order in which they ask. */
export class LayoutBuilder {
  readonly #regions = new Map<string, Region & { owner: string }>()
  readonly #signature: string[] = [`core@${CORE_LAYOUT_VERSION}`]
  #machineWords = 0
  #cpuWords = CORE_WORDS

  /** A 64-bit slot in every CPU's part, for an MSR. Returns its first word. */
  register(name: string): number {
    const slot = this.#cpuWords
    this.#cpuWords += 2
    this.#signature.push(`register ${name}`)
    return slot
  }

  /** @throws PluginError when the name is taken or the size is no positive number of bytes */
  region(owner: string, declaration: RegionDeclaration): Region {
    const taken = this.#regions.get(declaration.name)
    if (taken) {
      throw new PluginError(
        'region-clash',
        `plugins "${taken.owner}" and "${owner}" both declare the state region "${declaration.name}"`,
      )
    }
    if (!Number.isInteger(declaration.bytes) || declaration.bytes <= 0 || declaration.bytes > 1 << 20) {
      throw new PluginError(
        'region-size',
        `plugin "${owner}": region "${declaration.name}" wants ${declaration.bytes} bytes; 1 to 1048576 are possible`,
      )
    }
    const words = ((declaration.bytes + 7) >>> 3) * 2
    const slot = declaration.scope === 'machine' ? this.#machineWords : this.#cpuWords
    if (declaration.scope === 'machine') this.#machineWords += words
    else this.#cpuWords += words
    const region = { ...declaration, slot, words, owner }
    this.#regions.set(declaration.name, region)
    this.#signature.push(`${declaration.scope} ${declaration.name}@${declaration.version} ${words}`)
    return region
  }

  build(): Layout {
    return {
      machineWords: this.#machineWords,
      cpuWords: this.#cpuWords,
      regions: this.#regions,
      hash: fnv1a(this.#signature.join('\n')),
    }
  }
}

/** 32-bit FNV-1a of a text, in hex. Enough to tell layouts apart; it protects against mistakes, not against malice. */
function fnv1a(text: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}
