import type { Cpu } from '../cpu/cpu.js'
import { CR0_PG, EFER_LMA, EFER_LME, EFER_NXE, EFER_SCE, MCG_EIPV, MCG_MCIP, MCG_RIPV } from '../state/control.js'
import {
  CR0,
  EFER,
  FMASK,
  FS_BASE,
  GS_BASE,
  KERNEL_GS_BASE,
  MCG_STATUS,
  PL0_SSP,
  PL1_SSP,
  PL2_SSP,
  PL3_SSP,
  S_CET,
  STAR,
  U_CET,
} from '../state/registers.js'
import { canonicalAddress, gp0, isCanonicalForMsr, type MsrDefinition } from './registry.js'

/** CET_U and CET_S: bits 9:6 are reserved, SUPPRESS and WAIT_FOR_ENDBRANCH exclude each other (SDM 1 17.3.2). */
function checkCet(value: bigint, cpu: Cpu): bigint {
  const RESERVED = 0x3c0n
  const SHADOW_STACK_BITS = 0x3n
  const IBT_BITS = 0xffff_ffff_ffff_fc3cn
  if ((value & RESERVED) !== 0n || !isCanonicalForMsr(value & ~0xfffn, cpu)) gp0()
  if ((value & 0xc00n) === 0xc00n) gp0()
  if (!cpu.has('cet-ss') && (value & SHADOW_STACK_BITS) !== 0n) gp0()
  if (!cpu.has('cet-ibt') && (value & IBT_BITS) !== 0n) gp0()
  return value
}

/** PL0_SSP … PL3_SSP: canonical and 4-byte aligned. */
function checkShadowStackPointer(value: bigint, cpu: Cpu): bigint {
  if ((value & 3n) !== 0n) gp0()
  return canonicalAddress(value, cpu)
}

/** EFER: LMA is read-only, LME cannot change while paging is on, NXE and SCE as the CPU has them. */
function checkEfer(value: bigint, cpu: Cpu): bigint {
  const old = cpu.get64(EFER)
  const known = BigInt(EFER_LME | EFER_LMA | (cpu.has('syscall') ? EFER_SCE : 0) | (cpu.has('nx') ? EFER_NXE : 0))
  if ((value & ~known) !== 0n) gp0()
  if (((value ^ old) & BigInt(EFER_LME)) !== 0n && (cpu.words[CR0]! & CR0_PG) !== 0) gp0()
  return (value & ~BigInt(EFER_LMA)) | (old & BigInt(EFER_LMA))
}

/** IA32_MCG_STATUS: RIPV, EIPV and MCIP; the other bits are reserved. */
function checkMachineCheckStatus(value: bigint): bigint {
  return (value & ~BigInt(MCG_RIPV | MCG_EIPV | MCG_MCIP)) === 0n ? value : gp0()
}

/** The MSRs that both delivery mechanisms use; the others belong to the plugins that use them. */
export const ARCHITECTURAL_MSRS: readonly MsrDefinition[] = [
  { index: 0x17a, name: 'IA32_MCG_STATUS', slot: MCG_STATUS, feature: 'mce', write: checkMachineCheckStatus },
  { index: 0xc000_0080, name: 'IA32_EFER', slot: EFER, write: checkEfer, affectsMode: true },
  { index: 0xc000_0081, name: 'IA32_STAR', slot: STAR },
  { index: 0xc000_0084, name: 'IA32_FMASK', slot: FMASK, write: (value) => (value >> 32n === 0n ? value : gp0()) },
  { index: 0xc000_0100, name: 'IA32_FS_BASE', slot: FS_BASE, write: canonicalAddress },
  { index: 0xc000_0101, name: 'IA32_GS_BASE', slot: GS_BASE, write: canonicalAddress },
  { index: 0xc000_0102, name: 'IA32_KERNEL_GS_BASE', slot: KERNEL_GS_BASE, write: canonicalAddress },
  { index: 0x6a0, name: 'IA32_U_CET', slot: U_CET, feature: ['cet-ss', 'cet-ibt'], write: checkCet, affectsMode: true },
  { index: 0x6a2, name: 'IA32_S_CET', slot: S_CET, feature: ['cet-ss', 'cet-ibt'], write: checkCet, affectsMode: true },
  { index: 0x6a4, name: 'IA32_PL0_SSP', slot: PL0_SSP, feature: ['cet-ss', 'fred'], write: checkShadowStackPointer },
  { index: 0x6a5, name: 'IA32_PL1_SSP', slot: PL1_SSP, feature: 'cet-ss', write: checkShadowStackPointer },
  { index: 0x6a6, name: 'IA32_PL2_SSP', slot: PL2_SSP, feature: 'cet-ss', write: checkShadowStackPointer },
  { index: 0x6a7, name: 'IA32_PL3_SSP', slot: PL3_SSP, feature: 'cet-ss', write: checkShadowStackPointer },
]
