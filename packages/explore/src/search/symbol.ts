/** How far above a label an address is still named after it. */
const REACH = 0x1000n

/** Names addresses by the nearest label below them: `syscall_entry+0xa`; in hex where none is near. */
export function nearestLabel(labels: ReadonlyMap<string, bigint>): (address: bigint) => string {
  const sorted = [...labels].sort(([, a], [, b]) => (a < b ? -1 : a > b ? 1 : 0))
  return (address) => {
    const found = sorted.findLast(([, at]) => at <= address)
    if (found === undefined || address - found[1] >= REACH) return `0x${address.toString(16)}`
    const [name, at] = found
    return address === at ? name : `${name}+0x${(address - at).toString(16)}`
  }
}
