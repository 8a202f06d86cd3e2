import { definePlugin, OBSERVERS, type Plugin } from '@trapframe/core'
import { CONTAINMENTS, INVARIANTS, REDUCTIONS } from '@trapframe/explore'
import { KEXEC_CONTAINMENT } from '../containment.js'
import { INTERRUPTED_REGION, noteInterrupted } from './interrupted.js'
import { CRASH_NOTE, CRASH_REPORT, NOTE_CONTAINMENT } from './invariants.js'
import { KEXEC_REDUCTION } from './reduction.js'

/**
 * What a search of the shootdown judges and leaves out: `nmi-containment` of CPUs that were shot down, `crash-note` and
 * `crash-report` (K1, K2, K4), and the reduction `kexec`.
 */
export function kexecSearch(): Plugin {
  return definePlugin({
    name: 'kexec-search',
    requires: ['explore', 'kexec'],
    specifier: '@trapframe/kexec',
    setup(host) {
      host.regions.declare(INTERRUPTED_REGION)
      host.add(OBSERVERS, 'kexec/interrupted', { delivering: noteInterrupted })
      for (const one of [KEXEC_CONTAINMENT, NOTE_CONTAINMENT]) host.add(CONTAINMENTS, one.name, one)
      for (const one of [CRASH_NOTE, CRASH_REPORT]) host.add(INVARIANTS, one.name, one)
      host.add(REDUCTIONS, KEXEC_REDUCTION.name, KEXEC_REDUCTION)
    },
  })
}
