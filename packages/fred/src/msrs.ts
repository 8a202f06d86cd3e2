import { type Cpu, canonicalAddress, gp0, type MsrDefinition, PL0_SSP, type PluginHost } from '@trapframe/core'

/** Indices of the MSRs that exist on every CPU with FRED (SDM 4). IA32_FRED_SSP0 is another name of IA32_PL0_SSP. */
export const IA32_FRED_RSP0 = 0x1cc
export const IA32_FRED_RSP1 = 0x1cd
export const IA32_FRED_RSP2 = 0x1ce
export const IA32_FRED_RSP3 = 0x1cf
export const IA32_FRED_STKLVLS = 0x1d0
export const IA32_FRED_SSP1 = 0x1d1
export const IA32_FRED_SSP2 = 0x1d2
export const IA32_FRED_SSP3 = 0x1d3
export const IA32_FRED_CONFIG = 0x1d4
export const IA32_FRED_SSP0 = 0x6a4
/** Extended feature disable, and which component the last #NM of it was about (SDM 1 13.14). */
export const IA32_XFD = 0x1c4
export const IA32_XFD_ERR = 0x1c5

// IA32_FRED_CONFIG, low half.

/** Bits 1:0: the current stack level. It is live: delivery and ERETS change it. */
export const CONFIG_CSL = 3
/** Bit 3: a delivery that stays on its level first moves SSP down by 8. */
export const CONFIG_SSP_GAP = 1 << 3
/** Bits 8:6: a delivery that stays on its level first moves RSP down by so many times 64 bytes. */
export const CONFIG_RED_ZONE = 7 << 6
/** Bits 10:9: stack level of maskable interrupts. */
export const CONFIG_INTERRUPT_LEVEL_SHIFT = 9
/** Bits 2, 4, 5 and 11 are reserved. */
const CONFIG_RESERVED = 0x834n

/** State component 18, TILEDATA: the one that can be disabled by IA32_XFD. */
const XFD_COMPONENTS = 1n << 18n

/** Where FRED's registers lie in a CPU's flat state: their first words, by stack level where there are four. */
export interface FredSlots {
  readonly config: number
  readonly stackLevels: number
  readonly rsp: readonly [number, number, number, number]
  readonly ssp: readonly [number, number, number, number]
}

/** IA32_FRED_RSP0–3: canonical and aligned to the frame (A14). */
function checkStackPointer(value: bigint, cpu: Cpu): bigint {
  return (value & 0x3fn) === 0n ? canonicalAddress(value, cpu) : gp0()
}

/** IA32_FRED_SSP1–3: canonical and 8-byte aligned (A14). */
function checkShadowStackPointer(value: bigint, cpu: Cpu): bigint {
  return (value & 7n) === 0n ? canonicalAddress(value, cpu) : gp0()
}

/** IA32_FRED_CONFIG: reserved bits clear, the entry page canonical. */
function checkConfig(value: bigint, cpu: Cpu): bigint {
  return (value & CONFIG_RESERVED) === 0n ? canonicalAddress(value, cpu) : gp0()
}

/** IA32_XFD and IA32_XFD_ERR: only components that can be disabled. */
function checkComponents(value: bigint): bigint {
  return (value & ~XFD_COMPONENTS) === 0n ? value : gp0()
}

/** Defines FRED's MSRs; on a CPU without FRED each is #GP(0). They work while CR4.FRED is 0 too. */
export function defineMsrs(host: PluginHost): FredSlots {
  const define = (index: number, name: string, write?: MsrDefinition['write']): number =>
    host.msrs.define({ index, name, feature: 'fred', ...(write && { write }) }).slot
  const rsp = (level: number): number => define(IA32_FRED_RSP0 + level, `IA32_FRED_RSP${level}`, checkStackPointer)
  const ssp = (level: number): number =>
    define(IA32_FRED_SSP1 + level - 1, `IA32_FRED_SSP${level}`, checkShadowStackPointer)
  define(IA32_XFD, 'IA32_XFD', checkComponents)
  define(IA32_XFD_ERR, 'IA32_XFD_ERR', checkComponents)
  return {
    rsp: [rsp(0), rsp(1), rsp(2), rsp(3)],
    stackLevels: define(IA32_FRED_STKLVLS, 'IA32_FRED_STKLVLS'),
    ssp: [PL0_SSP, ssp(1), ssp(2), ssp(3)],
    config: define(IA32_FRED_CONFIG, 'IA32_FRED_CONFIG', checkConfig),
  }
}
