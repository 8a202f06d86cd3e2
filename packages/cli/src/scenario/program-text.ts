import { isScalar, Scalar } from 'yaml'
import type { Path, Places } from './place.js'
import type { Problems } from './problems.js'
import type { ProgramText } from './scenario.js'

/** The program at a path with the place of its lines: of a block after `|`, or of text on one line. */
export function programText(path: Path, text: string, places: Places, problems: Problems): ProgramText {
  const known = places.program(path, text)
  if (known !== undefined) return known
  const name = String(path.at(-1))
  const node = places.node(path)
  const start = node?.range?.[0] ?? 0
  const { line, column } = places.offset(start)
  if (isScalar(node) && node.type === Scalar.BLOCK_LITERAL) {
    return { text, line: line + 1, column: blockColumn(text, places.source, line) }
  }
  const folded = isScalar(node) && node.type === Scalar.BLOCK_FOLDED
  const end = node?.range?.[1] ?? start
  if (folded || places.source.slice(start, end).trimEnd().includes('\n')) {
    const message = `"${name}" loses its line ends when it is written like this`
    problems.add({ path, at: 'key', message, hint: `write the program in a block: ${name}: |` })
  }
  const quoted = isScalar(node) && (node.type === Scalar.QUOTE_DOUBLE || node.type === Scalar.QUOTE_SINGLE)
  return { text, line, column: column + (quoted ? 1 : 0) }
}

/** The indentation of a block, from its first line that is not empty, plus one. */
function blockColumn(text: string, source: string, headerLine: number): number {
  const written = source.split(/\r?\n/)
  const content = text.split('\n')
  const row = content.findIndex((line) => line.trim() !== '')
  return row < 0 ? 1 : Math.max(1, (written[headerLine + row]?.length ?? 0) - content[row]!.length + 1)
}
