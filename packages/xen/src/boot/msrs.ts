import { type Cpu, Fault, readMsr } from '@trapframe/core'
import { IA32_FRED_CONFIG, IA32_FRED_RSP0, IA32_FRED_SSP0, IA32_FRED_SSP1, IA32_FRED_STKLVLS } from '@trapframe/fred'
import {
  IA32_CSTAR,
  IA32_INTERRUPT_SSP_TABLE_ADDR,
  IA32_LSTAR,
  IA32_SYSENTER_CS,
  IA32_SYSENTER_EIP,
  IA32_SYSENTER_ESP,
} from '@trapframe/idt'
import { IA32_PL0_SSP, IA32_S_CET } from '../setup/cet.js'
import { IA32_FMASK, IA32_STAR } from '../setup/idt-delivery.js'

const IA32_EFER = 0xc000_0080
const LEVELS = [0, 1, 2, 3] as const
const RAISED_LEVELS = [1, 2, 3] as const

/** MSRs that event delivery depends on, in the order of a report. IA32_FRED_SSP0 is IA32_PL0_SSP by another name. */
const BY_NAME: Readonly<Record<string, number>> = {
  IA32_EFER,
  IA32_STAR,
  IA32_LSTAR,
  IA32_CSTAR,
  IA32_FMASK,
  IA32_SYSENTER_CS,
  IA32_SYSENTER_ESP,
  IA32_SYSENTER_EIP,
  IA32_S_CET,
  IA32_PL0_SSP,
  IA32_INTERRUPT_SSP_TABLE_ADDR,
  ...Object.fromEntries(LEVELS.map((level) => [`IA32_FRED_RSP${level}`, IA32_FRED_RSP0 + level])),
  IA32_FRED_STKLVLS,
  IA32_FRED_SSP0,
  ...Object.fromEntries(RAISED_LEVELS.map((level) => [`IA32_FRED_SSP${level}`, IA32_FRED_SSP1 + level - 1])),
  IA32_FRED_CONFIG,
}

/** The MSRs of event delivery that a CPU has, with what they hold now. */
export function readDeliveryMsrs(cpu: Cpu): Readonly<Record<string, bigint>> {
  const values: Record<string, bigint> = {}
  for (const [name, index] of Object.entries(BY_NAME)) {
    if (name.startsWith('IA32_FRED_') && !cpu.has('fred')) continue
    try {
      values[name] = readMsr(cpu, index)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
    }
  }
  return values
}
