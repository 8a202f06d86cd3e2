import { canonicalAddress, type PluginHost } from '@trapframe/core'

/** Indices of the MSRs that belong to the IDT's way of entering the kernel (SDM 4). */
export const IA32_SYSENTER_CS = 0x174
export const IA32_SYSENTER_ESP = 0x175
export const IA32_SYSENTER_EIP = 0x176
export const IA32_INTERRUPT_SSP_TABLE_ADDR = 0x6a8
export const IA32_LSTAR = 0xc000_0082
export const IA32_CSTAR = 0xc000_0083

/** First words of those MSRs in a CPU's flat state. */
export interface IdtSlots {
  readonly sysenterCs: number
  readonly sysenterEsp: number
  readonly sysenterEip: number
  readonly shadowStackTable: number
  readonly lstar: number
  readonly cstar: number
}

/** Defines them: whatever holds an address must be canonical (#GP(0)); of IA32_SYSENTER_CS only bits 15:0 count. */
export function defineMsrs(host: PluginHost): IdtSlots {
  const address = (index: number, name: string, feature?: string): number =>
    host.msrs.define({ index, name, write: canonicalAddress, ...(feature && { feature }) }).slot
  return {
    sysenterCs: host.msrs.define({ index: IA32_SYSENTER_CS, name: 'IA32_SYSENTER_CS' }).slot,
    sysenterEsp: address(IA32_SYSENTER_ESP, 'IA32_SYSENTER_ESP'),
    sysenterEip: address(IA32_SYSENTER_EIP, 'IA32_SYSENTER_EIP'),
    shadowStackTable: address(IA32_INTERRUPT_SSP_TABLE_ADDR, 'IA32_INTERRUPT_SSP_TABLE_ADDR', 'cet-ss'),
    lstar: address(IA32_LSTAR, 'IA32_LSTAR'),
    cstar: address(IA32_CSTAR, 'IA32_CSTAR'),
  }
}
