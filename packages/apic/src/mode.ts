import { type Cpu, gp0, UnsupportedError } from '@trapframe/core'
import { BASE, ICR, localApic } from './region.js'
import { resetLocalApic } from './reset.js'

/** IA32_APIC_BASE (SDM 3A "Local APIC Status and Location", "x2APIC State Transitions"). */
const BSP = 1n << 8n
const EXTD = 1n << 10n
const EN = 1n << 11n
/** Bits 7:0 and 9, and the ones beyond 52 bits of physical address. */
const RESERVED = 0xfff0_0000_0000_02ffn
/** Physical address of the registers after reset. */
export const APIC_PAGE = 0xfee0_0000n

/** `disabled`: the local APIC is not there; `xapic`: its registers are a page of memory; `x2apic`: they are MSRs. */
export type ApicMode = 'disabled' | 'xapic' | 'x2apic'

/** IA32_APIC_BASE after reset: enabled in xAPIC mode; CPU 0 is the bootstrap processor. */
export function resetBase(cpu: Cpu): bigint {
  return APIC_PAGE | EN | (cpu.id === 0 ? BSP : 0n)
}

function modeIn(base: bigint): ApicMode | null {
  if ((base & EN) === 0n) return (base & EXTD) === 0n ? 'disabled' : null
  return (base & EXTD) === 0n ? 'xapic' : 'x2apic'
}

/** The mode that IA32_APIC_BASE says. */
export function apicMode(cpu: Cpu): ApicMode {
  return modeIn(cpu.get64(localApic(cpu) + BASE))!
}

/** Whether the CPU is the one that boots. */
export function isBootstrap(cpu: Cpu): boolean {
  return (cpu.get64(localApic(cpu) + BASE) & BSP) !== 0n
}

const NEXT: Readonly<Record<ApicMode, readonly ApicMode[]>> = {
  disabled: ['disabled', 'xapic'],
  xapic: ['disabled', 'xapic', 'x2apic'],
  x2apic: ['disabled', 'x2apic'],
}

/**
 * WRMSR to IA32_APIC_BASE: x2APIC mode is entered from xAPIC mode and left to disabled only. Leaving for disabled forgets
 * every register.
 *
 * @throws #GP(0) for reserved bits, EXTD without the feature or without EN, any other change of mode; UnsupportedError for
 * registers elsewhere than after reset
 */
export function writeBase(value: bigint, cpu: Cpu): bigint {
  const slot = localApic(cpu)
  const next = modeIn(value)
  if ((value & RESERVED) !== 0n || next === null || (next === 'x2apic' && !cpu.has('x2apic'))) gp0()
  const mode = apicMode(cpu)
  if (!NEXT[mode].includes(next)) gp0()
  if ((value & ~(BSP | EXTD | EN)) !== APIC_PAGE) {
    throw new UnsupportedError('instruction', 'the registers of the local APIC move to another address', {
      hint: 'they are modelled at fee00000h only',
    })
  }
  if (next === 'disabled' && mode !== 'disabled') resetLocalApic(cpu)
  if (next === 'x2apic' && mode === 'xapic') cpu.words[slot + ICR + 1] = 0
  return value
}
