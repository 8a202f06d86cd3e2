/** Where a key of an object stands in a source, and the value behind it. */
export interface LiteralEntry {
  readonly key: readonly [start: number, end: number]
  readonly value: readonly [start: number, end: number]
}

/**
 * Reads object and array literals of JavaScript and TypeScript, as far as it takes to say where a key or an item was
 * written. It knows brackets, texts, templates and comments, and nothing of expressions.
 */
export class LiteralReader {
  readonly #source: string

  constructor(source: string) {
    this.#source = source
  }

  /** Where the value of the default export begins: of a literal, of a call with one, or of the variable that it names. */
  get defaultExport(): number | undefined {
    const found = /\bexport\s+default\s+/.exec(this.#source)
    if (found === null) return undefined
    const start = found.index + found[0].length
    const name = /^([A-Za-z_$][\w$]*)\s*(?:;|$|\n|as\b|satisfies\b)/.exec(this.#source.slice(start))?.[1]
    if (name === undefined) return start
    const variable = new RegExp(`\\b(?:const|let|var)\\s+${name.replaceAll('$', '\\$')}\\b[^=]*=\\s*`).exec(
      this.#source,
    )
    return variable === null ? start : variable.index + variable[0].length
  }

  /** The entries of the first object literal of a value. */
  entries(from: number, to = this.#source.length): ReadonlyMap<string, LiteralEntry> {
    const found = new Map<string, LiteralEntry>()
    const open = this.#first('{', from, to)
    if (open === undefined) return found
    for (const [start, end] of this.#parts(open)) {
      const name = /^(?:(['"])(.*?)\1|([\w$]+))/.exec(this.#source.slice(start, end))
      if (name === null) continue
      const colon = this.#skipBlank(start + name[0].length)
      const value = this.#source[colon] === ':' ? this.#skipBlank(colon + 1) : start
      found.set(name[2] ?? name[3]!, { key: [start, start + name[0].length], value: [value, end] })
    }
    return found
  }

  /** The items of the first array literal of a value. */
  items(from: number, to = this.#source.length): readonly (readonly [start: number, end: number])[] {
    const open = this.#first('[', from, to)
    return open === undefined ? [] : this.#parts(open)
  }

  /** The opening bracket of a value's literal, past the name of a function around it. */
  #first(bracket: string, from: number, to: number): number | undefined {
    for (let at = this.#skipBlank(from); at < to; at = this.#skipBlank(at + 1)) {
      const character = this.#source[at]!
      if (character === bracket) return at
      if (!/[\w$.(<>\s]/.test(character)) return undefined
    }
    return undefined
  }

  /** What stands between the commas inside of a bracket. */
  #parts(open: number): (readonly [start: number, end: number])[] {
    const parts: (readonly [number, number])[] = []
    let start = this.#skipBlank(open + 1)
    for (let at = start; at < this.#source.length; ) {
      const character = this.#source[at]!
      if (character === ',' || character === '}' || character === ']' || character === ')') {
        if (at > start) parts.push([start, this.#trimmed(start, at)])
        if (character !== ',') break
        at = this.#skipBlank(at + 1)
        start = at
      } else {
        at = this.#skipToken(at)
      }
    }
    return parts
  }

  /** Past one character, one text, or everything in a bracket. */
  #skipToken(at: number): number {
    const character = this.#source[at]!
    if (character === '"' || character === "'" || character === '`') return this.#skipText(at, character)
    if (character === '/' && /[/*]/.test(this.#source[at + 1] ?? '')) return this.#skipBlank(at)
    if (!'{[('.includes(character)) return at + 1
    let inside = at + 1
    while (inside < this.#source.length && !'}])'.includes(this.#source[inside]!)) inside = this.#skipToken(inside)
    return inside + 1
  }

  #skipText(at: number, quote: string): number {
    let end = at + 1
    while (end < this.#source.length && this.#source[end] !== quote) {
      if (this.#source[end] === '\\') end += 2
      else if (quote === '`' && this.#source.startsWith('${', end)) end = this.#skipToken(end + 1)
      else end++
    }
    return end + 1
  }

  /** Past blanks and comments. */
  #skipBlank(at: number): number {
    const blank = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y
    blank.lastIndex = at
    return at + (blank.exec(this.#source)?.[0].length ?? 0)
  }

  #trimmed(start: number, end: number): number {
    return start + this.#source.slice(start, end).trimEnd().length
  }
}
