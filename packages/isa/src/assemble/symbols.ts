import type { Place } from '@trapframe/core'
import { AssemblyError } from './error.js'
import type { Expression, Scope } from './expression.js'
import { registerNamed, registerNames } from './registers.js'
import { didYouMean } from './spelling.js'

/** What a name stands for. */
export type Meaning =
  | { readonly type: 'label'; readonly label: Label }
  | { readonly type: 'constant'; readonly constant: Constant }
  | { readonly type: 'given'; readonly value: bigint }

export interface Label {
  readonly name: string
  readonly place: Place
  /** Undefined until the layout has passed it once. */
  address: bigint | undefined
}

/** An `equ`. What its expression says of itself is remembered, so that constants of constants stay cheap. */
export interface Constant {
  readonly name: string
  readonly value: Expression
  readonly place: Place
  /** `$` in its expression: where the `equ` stands. */
  address: bigint | undefined
  /** Its value in this pass. */
  known: bigint | undefined
  weight: number | undefined
  depends: boolean | undefined
}

/** The names of one source: its labels and `equ`s, then the symbols that the caller gave. Letter case counts. */
export class SymbolTable {
  readonly #labels = new Map<string, Label>()
  readonly #constants = new Map<string, Constant>()
  readonly #given: ReadonlyMap<string, bigint>

  constructor(given: Readonly<Record<string, bigint>>) {
    this.#given = new Map(Object.entries(given))
  }

  /** @throws AssemblyError when the source already has the name, or a register does */
  defineLabel(name: string, place: Place): Label {
    this.#mustBeFree(name, place)
    const label: Label = { name, place, address: undefined }
    this.#labels.set(name, label)
    return label
  }

  /** @throws AssemblyError when the source already has the name, or a register does */
  defineConstant(name: string, value: Expression, place: Place): Constant {
    this.#mustBeFree(name, place)
    const constant = { name, value, place, address: undefined, known: undefined, weight: undefined, depends: undefined }
    this.#constants.set(name, constant)
    return constant
  }

  /** Forgets the values of constants, for addresses are about to change. */
  beginPass(): void {
    for (const constant of this.#constants.values()) constant.known = undefined
  }

  /** Labels in the order of the source. */
  labels(): Iterable<Label> {
    return this.#labels.values()
  }

  /** @throws AssemblyError for an unknown name */
  find(name: string, scope: Scope, place: Place): Meaning {
    const meaning =
      (name.startsWith('.') ? this.#exact(`${scope.parent}${name}`) : undefined) ??
      this.#exact(name) ??
      this.#onlyLocal(name)
    if (meaning !== undefined) return meaning
    if (name.includes(':')) {
      const number = name.slice(0, name.indexOf(':'))
      throw new AssemblyError('unknown-symbol', `there is no "${number}:" on that side`, place)
    }
    throw new AssemblyError('unknown-symbol', `"${name}" is no register and not defined`, place, this.#hint(name))
  }

  #exact(name: string): Meaning | undefined {
    const label = this.#labels.get(name)
    if (label !== undefined) return { type: 'label', label }
    const constant = this.#constants.get(name)
    if (constant !== undefined) return { type: 'constant', constant }
    const given = this.#given.get(name)
    return given === undefined ? undefined : { type: 'given', value: given }
  }

  /** A `.local` label under another parent, where there is only one of that name: GAS writes `.L1` for a whole file. */
  #onlyLocal(name: string): Meaning | undefined {
    if (!name.startsWith('.')) return undefined
    const found = [...this.#labels.values()].filter((label) => label.name.endsWith(name))
    return found.length === 1 ? { type: 'label', label: found[0]! } : undefined
  }

  #hint(name: string): string | undefined {
    if (name.startsWith('$')) return 'Intel syntax writes immediates without $'
    return didYouMean(name, this.#names())
  }

  *#names(): Iterable<string> {
    for (const name of this.#labels.keys()) if (!name.includes(':')) yield name
    yield* this.#constants.keys()
    yield* this.#given.keys()
    yield* registerNames()
  }

  #mustBeFree(name: string, place: Place): void {
    if (registerNamed(name) !== undefined) {
      throw new AssemblyError('duplicate-label', `"${name}" is a register`, place)
    }
    const first = (this.#labels.get(name) ?? this.#constants.get(name))?.place
    if (first === undefined) return
    throw new AssemblyError('duplicate-label', `"${name}" is defined twice`, place, `first in line ${first.line}`)
  }
}
