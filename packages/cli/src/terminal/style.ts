import { styleText } from 'node:util'
import type { Output } from './terminal.js'

/** Names of what reports mean, not of colours. */
export type Role = 'good' | 'bad' | 'warn' | 'faint' | 'strong' | 'accent' | 'title'

type Format = Parameters<typeof styleText>[0]

const FORMATS: Readonly<Record<Role, Format>> = {
  good: 'green',
  bad: 'red',
  warn: 'yellow',
  faint: 'dim',
  strong: 'bold',
  accent: 'cyan',
  title: ['bold', 'cyan'],
}

/** Paints text in a role, or leaves it alone. */
export type Paint = (role: Role, text: string) => string

/** The paint for an output: everything must read as well without colours as with them. */
export function painter(output: Pick<Output, 'color'>): Paint {
  if (!output.color) return (_role, text) => text
  return (role, text) => (text === '' ? '' : styleText(FORMATS[role], text, { validateStream: false }))
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what it looks for
const ESCAPES = /\u001b\[[0-9;]*m/g

/** Columns that a text takes: code points without escape sequences. */
export function width(text: string): number {
  return [...text.replace(ESCAPES, '')].length
}

/** Blanks after a text up to a width. */
export function pad(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - width(text)))
}

/** A text in lines of at most `columns`, broken at blanks where there are any; continued lines begin two columns in. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  let rest = text
  while (width(rest) > columns) {
    const head = [...rest].slice(0, columns + 1).join('')
    const blank = head.lastIndexOf(' ')
    const cut = blank > columns / 3 ? blank : [...rest].slice(0, columns).join('').length
    lines.push(rest.slice(0, cut).trimEnd())
    rest = `  ${rest.slice(cut).trimStart()}`
  }
  return [...lines, rest]
}
