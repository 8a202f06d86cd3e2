import { suggestion } from '../command/suggest.js'
import { LIMITS } from './limits.js'
import type { Axes, AxisValue } from './matrix.js'
import type { Path } from './place.js'

const REFERENCE = /\$\{([^}]*)\}/g

/** A `${…}` that cannot be filled in: where, why, and what to do about it. */
export interface UnknownAxis {
  readonly path: Path
  readonly message: string
  readonly hint: string | undefined
}

/**
 * Puts the cell's values in the place of `${axis}` in every text of `data`. A text that is nothing but `${axis}` takes
 * the value with its type; inside a longer text the value is written out.
 */
export function substitute(data: unknown, axes: Axes, path: Path, unknown: (problem: UnknownAxis) => void): unknown {
  if (typeof data === 'string') return substituteText(data, axes, path, unknown)
  if (Array.isArray(data)) return data.map((item, index) => substitute(item, axes, [...path, index], unknown))
  if (typeof data === 'object' && data !== null) {
    return Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, substitute(value, axes, [...path, key], unknown)]),
    )
  }
  return data
}

function substituteText(text: string, axes: Axes, path: Path, unknown: (problem: UnknownAxis) => void): AxisValue {
  const lookUp = (name: string): AxisValue | undefined => {
    if (Object.hasOwn(axes, name)) return axes[name]
    const message = `"\${${name}}" names no axis of the matrix`
    unknown({ path, message, hint: suggestion(name, Object.keys(axes), 'axes') })
    return undefined
  }
  const whole = /^\$\{([^}]*)\}$/.exec(text)
  if (whole) return lookUp(whole[1]!.trim()) ?? text
  let length = text.length
  const filled = text.replace(REFERENCE, (written, name: string) => {
    const value = length > LIMITS.filledText ? '' : String(lookUp(name.trim()) ?? written)
    length += value.length
    return value
  })
  if (length <= LIMITS.filledText || filled === text) return filled
  unknown({ path, message: 'this text grows too long', hint: `most: ${LIMITS.filledText} characters` })
  return text
}
