import type { Boot, Machine } from '@trapframe/core'
import { panic } from '@trapframe/xen'
import { labelOf, outsideCall } from '../outside-call.js'
import { loadCompatGdt } from './selectors.js'

/** Whose guest is to be a 32-bit one. */
export type Pv32Domain = 'dom0' | 'domU'

/** 0, or an error number and what is behind it. */
export type Pv32Answer = { readonly result: 0 } | { readonly result: number; readonly reason: string }

/** The error number of an operation that this Xen does not support, as hypercalls return it. */
export const EOPNOTSUPP = -95

const SHIM = 'run it under PVShim, a Xen that uses neither FRED nor CET'

/**
 * switch_compat: makes the guest of a booted Xen a 32-bit one, with its kernel in ring 1, or refuses to (X3, P5). FRED has no
 * ring 1, and neither half of CET works there. For dom0 the refusal is the end of the boot.
 *
 * @throws MachineError when another host than Xen was booted
 */
export function switchToCompat(machine: Machine, boot: Boot, domain: Pv32Domain = 'domU'): Pv32Answer {
  const why = whyNot(machine, boot)
  if (why === null) {
    for (const cpu of machine.cpus) {
      const { pv } = outsideCall({ machine, boot, cpu })
      pv.set('is_32bit', 1n)
      pv.set('initialised', 1n)
      loadCompatGdt(cpu)
    }
    return { result: 0 }
  }
  if (domain === 'dom0') {
    machine.log(`Dom0 failed to switch to compat: ${EOPNOTSUPP}`)
    panic(outsideCall({ machine, boot }), 'Could not construct domain 0')
  }
  return { result: EOPNOTSUPP, reason: `${why}: ${SHIM}` }
}

/** What stands against it, from what the boot has noted in its variables. */
function whyNot(machine: Machine, boot: Boot): string | null {
  const isOn = (name: string): boolean => machine.space(0n).read(labelOf(boot, name), 1)[0] === 1
  if (isOn('opt_pv32')) return null
  if (isOn('opt_fred')) return 'a 32-bit PV kernel runs in ring 1, and FRED has no ring 1'
  if (isOn('opt_shstk') || isOn('opt_ibt')) return 'a 32-bit PV kernel runs in ring 1, where CET does not work'
  return 'the command line says pv=no-32'
}
