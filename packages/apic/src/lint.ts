import { type Cpu, pendInterrupt, pendNmi, UnsupportedError } from '@trapframe/core'
import { FIXED, modeOf, NMI_MODE, vectorOf } from './command.js'
import { MASKED, requestInterrupt } from './interrupts.js'
import { apicMode } from './mode.js'
import { LVT, localApic } from './region.js'

/** Entries of LINT0 and LINT1: registers 35h and 36h. */
const LVT_LINT = [LVT + 6, LVT + 8] as const

/**
 * A pulse on a local interrupt pin. Its local vector table entry says what comes of it: an NMI, a fixed interrupt, or
 * nothing while it is masked. Where the local APIC is disabled, LINT1 is the CPU's NMI pin.
 *
 * @throws UnsupportedError for other delivery modes, and for LINT0 of a disabled local APIC, which is INTR
 */
export function pulseLint(cpu: Cpu, pin: 0 | 1): void {
  if (apicMode(cpu) === 'disabled') {
    if (pin === 1) return pendNmi(cpu)
    throw new UnsupportedError('event', 'INTR is pulsed, which asks an interrupt controller that is not modelled', {
      hint: `${pendInterrupt.name}() pends an interrupt with its vector`,
    })
  }
  const entry = cpu.words[localApic(cpu) + LVT_LINT[pin]]!
  if ((entry & MASKED) !== 0) return
  switch (modeOf(entry)) {
    case NMI_MODE:
      return pendNmi(cpu)
    case FIXED:
      requestInterrupt(cpu, vectorOf(entry))
      return
    default:
      throw new UnsupportedError('event', `LINT${pin} has delivery mode ${modeOf(entry)}, which is not modelled`)
  }
}
