import { UsageError } from '../error/usage-error.js'
import type { Terminal } from '../terminal/terminal.js'
import type { Closer } from './look-closer.js'

/** The options of commands that can show more of a run than its verdict. */
export const CLOSER_OPTIONS = {
  explain: { type: 'boolean', description: "each delivery and return in words, with the manual's sections" },
  html: { type: 'string', valueHint: 'FILE', description: 'write one page that steps through the runs' },
} as const

/**
 * What a command line asks for; undefined where it asks for neither.
 *
 * @param structured something else than text for people goes to stdout: explanations then go to stderr
 * @throws UsageError for a file that is none
 */
export function closerOf(
  args: { readonly explain?: boolean | undefined; readonly html?: string | undefined },
  terminal: Terminal,
  structured: boolean,
): Closer | undefined {
  const { explain = false, html } = args
  if (html !== undefined && !/\.html?$/i.test(html)) {
    throw new UsageError(
      `--html writes a page, and "${html}" is no name of one`,
      `write --html ${html || 'report'}.html`,
    )
  }
  if (!explain && html === undefined) return undefined
  return { explain: explain ? (structured ? terminal.err : terminal.out) : undefined, html }
}
