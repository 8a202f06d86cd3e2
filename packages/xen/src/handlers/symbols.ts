const PAGE = 0x1000n

/**
 * Names addresses of the entry and exit code as Xen's messages do: the label before, the distance from it and the distance
 * from it to the next one, `ret_from_intr+0x12/0x30`. Null for an address before the first label or beyond the last page.
 */
export function symbolizer(labels: ReadonlyMap<string, bigint>): (address: bigint) => string | null {
  const sorted = [...labels]
    .filter(([name]) => !name.includes('.'))
    .sort(([, a], [, b]) => (a < b ? -1 : a > b ? 1 : 0))
  const end = ((sorted.at(-1)?.[1] ?? 0n) / PAGE + 1n) * PAGE
  return (address) => {
    const next = sorted.findIndex(([, at]) => at > address)
    const before = sorted[next < 0 ? sorted.length - 1 : next - 1]
    if (before === undefined || address >= end) return null
    const [name, at] = before
    const size = (next < 0 ? end : sorted[next]![1]) - at
    return `${name}+0x${(address - at).toString(16)}/0x${size.toString(16)}`
  }
}
