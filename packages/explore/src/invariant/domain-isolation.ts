import type { Boot, Cpu, MemoryArea } from '@trapframe/core'
import type { Written } from '../ghost/notes.js'
import type { Invariant, Violation } from './invariant.js'
import { hex } from './place.js'

/**
 * Memory that belongs to somebody is written at CPL 3 by its owner only, and by no delivery unless it is the host's: an
 * event's frame in a domain's memory is the domain's to forge. What the host's own code writes is its own affair.
 */
export const DOMAIN_ISOLATION: Invariant = {
  name: 'domain-isolation',
  onRequest: true,
  summary: 'a domain’s memory is written by its own ring 3 code and by the host only',
  local: true,
  check({ boot, cpu, notes }) {
    for (const written of notes.writtenByUser) {
      const running = boot.owner?.(cpu) ?? 'guest'
      const owner = otherOwner(boot, written, running)
      if (owner !== null) return violation(cpu, `${running} wrote ${hex(written.address)}, ${owner} memory`)
    }
    for (const written of notes.writtenByDelivery) {
      const owner = otherOwner(boot, written, 'host')
      if (owner !== null) return violation(cpu, `a delivery wrote ${hex(written.address)}, ${owner} memory`)
    }
    return null
  },
}

const violation = (cpu: Cpu, message: string): Violation => ({ invariant: 'domain-isolation', message, cpu: cpu.id })

/** Whose memory was written, if it is not all that of `writer` or of nobody. */
function otherOwner({ areas }: Boot, { address, bytes }: Written, writer: string): string | null {
  const touches = (area: MemoryArea): boolean =>
    address < area.address + BigInt(area.bytes) && area.address < address + BigInt(bytes)
  for (const [name, parts] of Object.entries(areas)) if (name !== writer && parts.some(touches)) return name
  return null
}
