import type { Place, UserError } from '@trapframe/core'
import type { Paint } from '../terminal/style.js'

/** Lines of context before the offending one. */
const CONTEXT = 2
const WIDEST = 160

/**
 * An error as a person wants it: `file:line:column  message`, then the lines with a caret under the offence, and what to
 * do about it. Without a place or the text, message and hint alone.
 */
export function errorFrame(error: UserError, source: string | undefined, paint: Paint): string {
  const { place, hint } = error
  const head = `${place === undefined ? paint('bad', 'error:') : paint('strong', `${placeText(place)} `)} ${error.message}`
  const excerpt = place === undefined || source === undefined ? undefined : sourceExcerpt(place, source, hint, paint)
  if (excerpt !== undefined) return `${head}\n${excerpt}`
  return hint === undefined ? head : `${head}\n  ${hint}`
}

/** `file:line:column`. */
export function placeText({ file, line, column }: Place): string {
  return `${file === undefined ? '' : `${file}:`}${line}:${column}`
}

/** The line of a place with those before it, and a caret line; undefined when the text has no such line. */
function sourceExcerpt(place: Place, source: string, hint: string | undefined, paint: Paint): string | undefined {
  const lines = source.split(/\r?\n/)
  const line = lines[place.line - 1]
  if (line === undefined) return undefined
  const gutter = Math.max(4, String(place.line).length)
  // Of long lines the same stretch is shown, so that the caret stands under the offence.
  const from = line.length > WIDEST ? Math.max(0, place.column - 1 - WIDEST / 2) : 0
  const shown: string[] = []
  for (let n = Math.max(1, place.line - CONTEXT); n <= place.line; n++) {
    const mark = n === place.line ? '>' : ' '
    const text = stretch(lines[n - 1]!, from)
    shown.push(` ${paint('bad', mark)}${paint('faint', `${String(n).padStart(gutter - 1)} │`)} ${text}`.trimEnd())
  }
  const before = visible(line.slice(from, place.column - 1).padEnd(place.column - 1 - from)).length + (from > 0 ? 1 : 0)
  const length = Math.max(1, Math.min(place.length ?? 1, line.length - place.column + 1))
  const caret = `${' '.repeat(before)}${paint('bad', '^'.repeat(length))}`
  shown.push(`  ${' '.repeat(gutter - 1)} ${paint('faint', '│')} ${caret}${hint === undefined ? '' : ` ${hint}`}`)
  return shown.join('\n')
}

/** What of a line is shown. */
function stretch(line: string, from: number): string {
  const shown = visible(line.slice(from, from + WIDEST))
  return `${from > 0 ? '…' : ''}${shown}${line.length > from + WIDEST ? '…' : ''}`
}

/** Tabs take two columns, control characters one. */
function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not reach a terminal
  return text.replaceAll('\t', '  ').replace(/[\u0000-\u001f\u007f-\u009f]/g, '·')
}
