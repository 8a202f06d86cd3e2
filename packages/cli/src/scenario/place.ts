import type { Place } from '@trapframe/core'
import { type Document, isAlias, isCollection, isMap, isPair, isScalar, isSeq, type LineCounter, type Node } from 'yaml'

/** Keys and indices from the top of a scenario to a value. */
export type Path = readonly (string | number)[]

/** Says where in the file a value, or the key that it stands under, was written. */
export class Places {
  readonly file: string
  readonly source: string
  readonly #document: Document
  readonly #lines: LineCounter

  constructor(file: string, source: string, document: Document, lines: LineCounter) {
    this.file = file
    this.source = source
    this.#document = document
    this.#lines = lines
  }

  /** The place of the value at a path, or of the nearest thing above it that is there. */
  value(path: Path): Place {
    const [key, node] = this.#find(path)
    // A key without a value, or with one that begins on another line: the key says more.
    if (key !== undefined && (node === undefined || isEmpty(node) || this.#startsBelow(key, node))) return this.#of(key)
    return node === undefined ? this.offset(0) : this.#of(node)
  }

  /** The place of the key at the end of a path; of the value, where it has none. */
  key(path: Path): Place {
    const [key, node] = this.#find(path)
    return key !== undefined ? this.#of(key) : node === undefined ? this.offset(0) : this.#of(node)
  }

  /** The node at a path, aliases followed. */
  node(path: Path): Node | undefined {
    const [, node, whole] = this.#find(path)
    if (!whole) return undefined
    return isAlias(node) ? (node.resolve(this.#document) as Node | undefined) : node
  }

  /** Where the text of a program stands, in forms other than YAML; undefined where the node of the path says it. */
  program(
    _path: Path,
    _text: string,
  ): { readonly text: string; readonly line: number; readonly column: number } | undefined {
    return undefined
  }

  /** The place of a character of the file. */
  offset(offset: number, length = 1): Place {
    const { line, col } = this.#lines.linePos(offset)
    return { file: this.file, line: Math.max(1, line), column: Math.max(1, col), length }
  }

  #of(node: Node): Place {
    const [start, end] = node.range ?? [0, 0]
    const newline = this.source.indexOf('\n', start)
    const until = newline < 0 ? end : Math.min(end, newline)
    return this.offset(start, Math.max(1, until - start))
  }

  #startsBelow(key: Node, node: Node): boolean {
    return (
      isCollection(node) &&
      !node.flow &&
      this.#lines.linePos(node.range?.[0] ?? 0).line > this.#lines.linePos(key.range?.[0] ?? 0).line
    )
  }

  /** Key and value at a path as far as they exist, and whether that is the whole path. */
  #find(path: Path): readonly [key: Node | undefined, node: Node | undefined, whole: boolean] {
    let key: Node | undefined
    let node = (this.#document.contents ?? undefined) as Node | undefined
    for (const step of path) {
      const here = isAlias(node) ? (node.resolve(this.#document) as Node | undefined) : node
      if (isMap(here)) {
        const pair = here.items.find(
          (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
        )
        if (pair === undefined) return [key, node, false]
        key = pair.key as Node
        node = (pair.value ?? undefined) as Node | undefined
      } else if (isSeq(here) && typeof step === 'number' && here.items[step] !== undefined) {
        key = undefined
        node = here.items[step] as Node
      } else {
        return [key, node, false]
      }
    }
    return [key, node, true]
  }
}

const isEmpty = (node: Node): boolean => isScalar(node) && node.value === null
