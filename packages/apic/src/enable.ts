import { type Cpu, UnsupportedError, writeMsr } from '@trapframe/core'
import { SOFTWARE_ENABLED } from './interrupts.js'
import { apicMode } from './mode.js'
import { R_SVR, writeRegister } from './registers.js'
import { SVR_RESET } from './reset.js'

export const IA32_APIC_BASE = 0x1b
const EXTD = 1n << 10n

/**
 * Brings a local APIC from reset to where a booted host has it: in a mode, software-enabled with spurious vector FFh, and
 * every local interrupt masked.
 *
 * @throws #GP(0) where the CPU has no x2APIC; UnsupportedError to go back to xAPIC mode
 */
export function enableLocalApic(cpu: Cpu, mode: 'xapic' | 'x2apic' = 'x2apic'): void {
  if (apicMode(cpu) !== mode) {
    if (mode === 'xapic') throw new UnsupportedError('event', 'a local APIC is to leave x2APIC mode for xAPIC mode')
    const base = BigInt.asUintN(64, 0xfee0_0800n | (cpu.id === 0 ? 0x100n : 0n))
    writeMsr(cpu, IA32_APIC_BASE, base | EXTD)
  }
  writeRegister(cpu, R_SVR, SOFTWARE_ENABLED | SVR_RESET)
}
