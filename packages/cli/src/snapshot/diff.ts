/** Lines around a change that are shown with it. */
const CONTEXT = 2
/** Lines of a diff at most. */
const MOST = 60
/** Products of lengths up to which the shortest diff is looked for. */
const PATIENCE = 4_000_000

/** Lines that differ, as `- kept` and `+ now`, with some that do not around them. */
export function lineDiff(kept: string, now: string): string[] {
  const marked = markLines(kept.split('\n'), now.split('\n'))
  const shown = marked.map(() => false)
  for (const [i, line] of marked.entries()) {
    if (line.startsWith(' ')) continue
    for (let n = Math.max(0, i - CONTEXT); n <= Math.min(marked.length - 1, i + CONTEXT); n++) shown[n] = true
  }
  const lines: string[] = []
  for (const [i, line] of marked.entries()) {
    if (shown[i]) lines.push(line.trimEnd())
    else if (i > 0 && shown[i - 1]) lines.push('  …')
  }
  if (lines.at(-1) === '  …') lines.pop()
  return lines.length <= MOST ? lines : [...lines.slice(0, MOST), `  … and ${lines.length - MOST} lines more`]
}

/** All lines, marked as kept, new, or the same. */
function markLines(a: readonly string[], b: readonly string[]): string[] {
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let end = 0
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++
  const same = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`)
  return [
    ...same(a.slice(0, start)),
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...same(a.slice(a.length - end)),
  ]
}

function middle(a: readonly string[], b: readonly string[]): string[] {
  if (a.length * b.length > PATIENCE) return [...a.map((line) => `- ${line}`), ...b.map((line) => `+ ${line}`)]
  // common[i][j]: length of the longest common part of a from i and b from j
  const width = b.length + 1
  const common = new Uint16Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] =
        a[i] === b[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!)
    }
  }
  const lines: string[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push(`  ${a[i]}`)
      i++
      j++
    } else if (i < a.length && (j === b.length || common[(i + 1) * width + j]! >= common[i * width + j + 1]!)) {
      lines.push(`- ${a[i++]}`)
    } else {
      lines.push(`+ ${b[j++]}`)
    }
  }
  return lines
}
