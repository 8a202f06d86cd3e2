import { CST, type Document, isAlias, isMap, isPair, isScalar, isSeq, Lexer } from 'yaml'
import { LIMITS } from './limits.js'

/** What is wrong with a file as a tree of values, at an offset. */
export interface Offence {
  readonly offset: number
  readonly length: number
  readonly message: string
  readonly hint?: string
}

/** Open brackets, and blocks within blocks on one line: beyond this the parser's own recursion is at stake. */
const DEEPEST_SYNTAX = 2 * LIMITS.depth

/**
 * The place from which on a text is nested too deeply to be given to the parser, which calls itself for every level and
 * would end with the process. Estimated from above by its tokens alone.
 */
export function tooDeepAt(source: string): number | undefined {
  let offset = 0
  let flow = 0
  let block = 0
  let column = 0
  let previous = ''
  for (const token of new Lexer().lex(source)) {
    // The text of a scalar, whatever it looks like, comes behind a mark.
    const type = previous === CST.SCALAR ? (token.endsWith('\n') ? 'newline' : 'scalar') : CST.tokenType(token)
    previous = token
    if (type === 'newline') {
      block = 0
      column = 0
    } else if (type === 'flow-map-start' || type === 'flow-seq-start') flow++
    else if (type === 'flow-map-end' || type === 'flow-seq-end') flow = Math.max(0, flow - 1)
    else if (flow === 0 && INDICATORS.has(type ?? '')) block++
    if (type === 'space' && block === 0) column = token.length
    // One more level of a block takes one more column at least.
    if (flow > DEEPEST_SYNTAX || (flow === 0 && column + block > 4 * DEEPEST_SYNTAX)) return offset
    // The lexer marks documents and scalars by characters that are not in the text.
    if (!MARKS.has(token)) offset += token.length
  }
  return undefined
}

const INDICATORS: ReadonlySet<string> = new Set(['seq-item-ind', 'explicit-key-ind', 'map-value-ind'])
const MARKS: ReadonlySet<string> = new Set([CST.BOM, CST.DOCUMENT, CST.FLOW_END, CST.SCALAR])

export const TOO_DEEP = 'values lie too deep inside of each other'

/** Looks at every node once: how deep it lies, and that keys are single and different. */
export function checkTree(document: Document): Offence | undefined {
  const waiting: { readonly node: unknown; readonly depth: number }[] = [{ node: document.contents, depth: 0 }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, depth } = next
    if (depth > LIMITS.depth) return offence(node, TOO_DEEP, `most: ${LIMITS.depth}`)
    if (isSeq(node)) {
      for (const item of node.items) waiting.push({ node: item, depth: depth + 1 })
    } else if (isMap(node)) {
      const known = new Set<string>()
      for (const pair of node.items) {
        if (!isPair(pair)) continue
        if (!isScalar(pair.key))
          return offence(pair.key, isAlias(pair.key) ? 'a key cannot be an alias' : 'a key is one word')
        const key = String(pair.key.value)
        if (known.has(key)) return offence(pair.key, 'this is no YAML: this key is there twice')
        known.add(key)
        waiting.push({ node: pair.value, depth: depth + 1 })
      }
    }
  }
  return undefined
}

/** How many values data has, each counted as often as it is met; counting stops behind `most`. */
export function countValues(data: unknown, most: number): number {
  const waiting = [data]
  let count = 0
  while (waiting.length > 0 && count <= most) {
    const value = waiting.pop()
    count++
    if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) waiting.push(inner)
  }
  return count
}

function offence(node: unknown, message: string, hint?: string): Offence {
  const [start, end] = (node as { range?: readonly [number, number, number] | null } | null)?.range ?? [0, 1]
  return { offset: start, length: Math.max(1, end - start), message, ...(hint === undefined ? {} : { hint }) }
}
