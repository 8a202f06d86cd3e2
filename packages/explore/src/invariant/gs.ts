import type { Invariant } from './invariant.js'
import { hex } from './place.js'

/**
 * Ring 0 code uses memory through GS with a base of its own only: nothing reaches it between an entry from ring 3 and
 * SWAPGS, or with SWAPGS done once too often (CVE-2019-1125's code, and the many bugs of its kind). Judged where the host
 * says which bases are its own.
 */
export const GS_BASES: Invariant = {
  name: 'gs',
  onRequest: true,
  summary: 'ring 0 uses GS with a base of its own only',
  local: true,
  check({ boot, cpu, notes }) {
    const base = notes.gsUsed
    if (base === null || boot.hostGsBases === undefined || boot.hostGsBases(cpu).includes(base)) return null
    return { invariant: 'gs', message: `ring 0 used GS with base ${hex(base)}`, cpu: cpu.id }
  },
}
