/** Xen's syntax for booleans on the command line. */

const FALSE: readonly string[] = ['no', 'off', 'false', 'disable', '0']
const TRUE: readonly string[] = ['yes', 'on', 'true', 'enable', '1']

/** The value of a word, or undefined where it is none: such an option is left as it was, without a word. */
export function parseBoolean(text: string): boolean | undefined {
  if (TRUE.includes(text)) return true
  return FALSE.includes(text) ? false : undefined
}

/**
 * A boolean by name inside of a list: `32`, `no-32`, `32=off`. Undefined where the item is about something else, or says
 * both `no-` and a value.
 */
export function parseNamedBoolean(name: string, item: string): boolean | undefined {
  const negated = item.startsWith('no-')
  const text = negated ? item.slice(3) : item
  if (text === name) return !negated
  return !negated && text.startsWith(`${name}=`) ? parseBoolean(text.slice(name.length + 1)) : undefined
}
