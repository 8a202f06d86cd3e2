import { type Machine, MachineError } from '@trapframe/core'
import { isPlaced, writeShared32 } from './memory/state.js'
import { PRECAUTION_NAMES, type Precaution, precautionBits } from './precautions.js'

/** What is loaded for a crash, and how the shootdown goes. */
export interface CrashOptions {
  /** Kind of the image that is jumped to. Default `64-bit`. */
  readonly image?: '64-bit' | '32-bit'
  /** Precautions that are left out, as false; the others are taken. */
  readonly precautions?: Readonly<Partial<Record<Precaution, boolean>>>
  /** Number of the CPU that holds the lock of the console, and will not give it back. Default nobody. */
  readonly consoleLock?: number
  /** An NMI that nobody has asked for is fatal, as `nmi=fatal` on Xen's command line. Default false. */
  readonly fatalNmi?: boolean
}

/**
 * Loads a crash image: from now on a panic, and kexec_crash, lead to it.
 *
 * @throws MachineError where Xen was not booted with kexec, and for a precaution that there is not
 */
export function loadCrashImage(machine: Machine, options: CrashOptions = {}): void {
  if (!isPlaced(machine)) {
    throw new MachineError('no-kexec', 'no crash code is in memory', {
      hint: 'boot host "xen" on a machine with kexec()',
    })
  }
  const { image = '64-bit', precautions = {}, consoleLock, fatalNmi = false } = options
  for (const name of Object.keys(precautions)) {
    if ((PRECAUTION_NAMES as readonly string[]).includes(name)) continue
    throw new MachineError('kexec-precaution', `unknown precaution "${name}"`, {
      hint: `known are ${PRECAUTION_NAMES.join(', ')}`,
    })
  }
  writeShared32(machine, 'precautions', precautionBits(precautions))
  writeShared32(machine, 'console_lock', consoleLock ?? -1)
  writeShared32(machine, 'fatal_nmi', fatalNmi ? 1 : 0)
  writeShared32(machine, 'crash_image', image === '32-bit' ? 2 : 1)
}
