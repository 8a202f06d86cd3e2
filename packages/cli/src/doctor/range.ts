type Version = readonly [major: number, minor: number, patch: number]

const parse = (text: string): Version | null => {
  const found = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(text)
  return found === null ? null : [Number(found[1]), Number(found[2] ?? 0), Number(found[3] ?? 0)]
}

const compare = (a: Version, b: Version): number => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]

/** The first version that `^version` no longer means: the leftmost number that is not 0 counts. */
function caretEnd([major, minor, patch]: Version): Version {
  if (major > 0) return [major + 1, 0, 0]
  return minor > 0 ? [0, minor + 1, 0] : [0, 0, patch + 1]
}

/**
 * Whether a version satisfies a range as the manifests of trapframe write them: `^1.2.3`, `>=1.2.3 <2.0.0`, `1.2.3`, `*`;
 * a range of the workspace is always satisfied.
 */
export function satisfies(version: string, range: string): boolean {
  const actual = parse(version)
  if (range.startsWith('workspace:') || range === '*') return true
  if (actual === null) return false
  return range.split(/\s+/).every((part) => {
    const [, operator = '', rest = ''] = /^(\^|>=|<|)(.+)$/.exec(part) ?? []
    const wanted = parse(rest)
    if (wanted === null) return false
    if (operator === '<') return compare(actual, wanted) < 0
    if (operator === '>=') return compare(actual, wanted) >= 0
    if (operator === '^') return compare(actual, wanted) >= 0 && compare(actual, caretEnd(wanted)) < 0
    return compare(actual, wanted) === 0
  })
}
