import type { Place } from '@trapframe/core'
import { Document, LineCounter } from 'yaml'
import { type Path, Places } from '../scenario/place.js'
import { LiteralReader } from './literal.js'

/** Says where in a TypeScript or JavaScript source a value was written that its default export holds. */
export class SourcePlaces extends Places {
  readonly #reader: LiteralReader

  constructor(file: string, source: string) {
    super(file, source, new Document(), lineStarts(source))
    this.#reader = new LiteralReader(source)
  }

  override value(path: Path): Place {
    const { key, value } = this.#locate(path)
    return value === undefined
      ? this.key(path)
      : /^[{[]/.test(this.source.slice(value[0])) && key !== undefined
        ? this.#of(key)
        : this.#of(value)
  }

  override key(path: Path): Place {
    const { key, value } = this.#locate(path)
    const found = key ?? value
    return found === undefined ? this.offset(0) : this.#of(found)
  }

  /**
   * A program's text begins where it stands in the source as it is; what was put together by code is shown at its key.
   */
  override program(
    path: Path,
    text: string,
  ): { readonly text: string; readonly line: number; readonly column: number } {
    const { key, value } = this.#locate(path)
    const from = value?.[0] ?? 0
    const at = text === '' ? -1 : this.source.indexOf(text, from)
    const { line, column } = at >= 0 ? this.offset(at) : this.offset((key ?? value)?.[0] ?? 0)
    // The lines after the first are as wide in the source as in the text.
    return { text, line, column: text.includes('\n') ? 1 : column }
  }

  #of([start, end]: readonly [number, number]): Place {
    const newline = this.source.indexOf('\n', start)
    return this.offset(start, Math.max(1, (newline < 0 ? end : Math.min(end, newline)) - start))
  }

  /** As much of a path as is written as literals; of the rest, the nearest thing above it. */
  #locate(path: Path): { key?: readonly [number, number]; value?: readonly [number, number] } {
    const start = this.#reader.defaultExport
    if (start === undefined) return {}
    let here: { key?: readonly [number, number]; value: readonly [number, number] } = {
      value: [start, this.source.length],
    }
    for (const step of path) {
      const [from, to] = here.value
      if (typeof step === 'number') {
        const item = this.#reader.items(from, to)[step]
        if (item === undefined) return here
        here = { value: item }
      } else {
        const entry = this.#reader.entries(from, to).get(step)
        if (entry === undefined) return here
        here = entry
      }
    }
    return here
  }
}

function lineStarts(source: string): LineCounter {
  const lines = new LineCounter()
  lines.addNewLine(0)
  for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) lines.addNewLine(at + 1)
  return lines
}
