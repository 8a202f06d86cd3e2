import type { MemoryArea } from '@trapframe/core'
import { containmentsOf } from '../ghost/frozen.js'
import type { Invariant } from './invariant.js'
import { hex } from './place.js'

/**
 * K1, K2: a CPU that was stopped for good executes only where it is allowed to, and nobody writes what it left behind. What
 * stopped means, where it may be and what it leaves the plugins say that stop CPUs, through the slot CONTAINMENTS.
 */
export const NMI_CONTAINMENT: Invariant = {
  name: 'nmi-containment',
  onRequest: true,
  summary: 'a contained CPU stays where it may be, and what it left is not written',
  local: true,
  check({ machine, boot, cpu, notes }) {
    const { frozen } = notes
    if (frozen !== null) {
      const message = `CPU ${frozen.cpu} wrote ${hex(frozen.at)}, which contained CPU ${cpu.id} left, at ${hex(frozen.rip)}`
      return { invariant: 'nmi-containment', message, cpu: cpu.id }
    }
    if (notes.cplBefore === null) return null
    for (const containment of containmentsOf(machine)) {
      if (!containment.contained(machine, cpu)) continue
      const at = (BigInt(cpu.startHi >>> 0) << 32n) | BigInt(cpu.startLo >>> 0)
      if (containment.allowed(boot, cpu).some((area) => contains(area, at))) continue
      return { invariant: 'nmi-containment', message: `contained CPU executed ${hex(at)}`, cpu: cpu.id }
    }
    return null
  },
}

const contains = ({ address, bytes }: MemoryArea, at: bigint): boolean => at >= address && at < address + BigInt(bytes)
