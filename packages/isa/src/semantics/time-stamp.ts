import { CPL, type Cpu, CR4, CR4_TSD, gp, type MsrDefinition, RAX, RCX, RDX, type Semantics } from '@trapframe/core'
import { halves } from './quad.js'

const TIME_STAMP_COUNTER = 0x10
const TSC_AUX = 0xc000_0103

/** How far the counter goes with each reading. */
const STEP = 100n

/**
 * The counter and the value that RDTSCP adds to it (SDM 3B 18.17). No time passes in the model: each RDTSC and RDTSCP of a
 * CPU moves its counter on by 100, and nothing else does, so that equal programs read equal times. RDMSR shows the counter
 * as it stands.
 */
export const TIME_STAMP_MSRS: readonly MsrDefinition[] = [
  { index: TIME_STAMP_COUNTER, name: 'IA32_TIME_STAMP_COUNTER' },
  { index: TSC_AUX, name: 'IA32_TSC_AUX', write: (value) => refuseUpperHalf(value) },
]

function refuseUpperHalf(value: bigint): bigint {
  if (value >> 32n !== 0n) throw gp(0)
  return value
}

/** What RDTSC reads: the counter, moved on first. For hosts that emulate RDTSC too. */
export function readTimeStamp(cpu: Cpu): bigint {
  const slot = cpu.machine.msrs.get(TIME_STAMP_COUNTER)!.slot
  const value = BigInt.asUintN(64, cpu.get64(slot) + STEP)
  cpu.set64(slot, value)
  return value
}

/** EDX:EAX; the upper halves become 0. @throws #GP(0) above CPL 0 with CR4.TSD */
const readCounter: Semantics = (cpu) => {
  const { words } = cpu
  if (words[CPL] !== 0 && (words[CR4]! & CR4_TSD) !== 0) throw gp(0)
  words[RAX] = halves(cpu, readTimeStamp(cpu))
  words[RAX + 1] = 0
  words[RDX] = cpu.hi
  words[RDX + 1] = 0
}

const readCounterAndAux: Semantics = (cpu, insn) => {
  readCounter(cpu, insn)
  cpu.words[RCX] = cpu.words[cpu.machine.msrs.get(TSC_AUX)!.slot]!
  cpu.words[RCX + 1] = 0
}

/** RDPMC: #GP(0) above CPL 0 without CR4.PCE, and for a counter that does not exist: there is none (CPUID leaf 0Ah is 0). */
const readPerformanceCounter: Semantics = () => {
  throw gp(0)
}

/** Counters (SDM 2B RDTSC, RDTSCP, RDPMC). */
export const timeStamps: Readonly<Record<string, Semantics>> = {
  rdtsc: readCounter,
  rdtscp: readCounterAndAux,
  rdpmc: readPerformanceCounter,
}
