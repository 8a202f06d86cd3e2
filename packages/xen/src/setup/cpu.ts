import { type Cpu, CR4, CR4_CET, CR4_FSGSBASE, CR4_SMAP, CR4_SMEP, resetCpu } from '@trapframe/core'
import type { BootDecision, Revision } from '../boot/decision.js'
import { cpuStateOffset } from '../layout/cpu-info.js'
import { stackOf } from '../layout/memory.js'
import { HYPERVISOR_DS32 } from '../layout/selectors.js'
import { enableCet } from './cet.js'
import { dropIdtDelivery, setUpFredMsrs } from './fred-delivery.js'
import { setUpIdtDelivery } from './idt-delivery.js'
import { setUpGdt } from './tables.js'

const CR4_FRED = 1n << 32n

/** Brings one CPU up: GDT, event delivery, control registers, its part of cpu_info. */
export function setUpCpu(
  cpu: Cpu,
  labels: ReadonlyMap<string, bigint>,
  decision: BootDecision,
  revision: Revision,
  ist: boolean,
): void {
  resetCpu(cpu)
  setUpGdt(cpu)
  const { delivery, shadowStacks, ibt, smap, smep } = decision
  if (delivery === 'idt') setUpIdtDelivery(cpu, labels, decision, ist)
  else setUpFredMsrs(cpu, revision, labels.get('entry_FRED_R3')!)
  enableCet(cpu, shadowStacks, ibt)
  const bits =
    (cpu.has('fsgsbase') ? CR4_FSGSBASE : 0) |
    (smap ? CR4_SMAP : 0) |
    (smep ? CR4_SMEP : 0) |
    (shadowStacks || ibt ? CR4_CET : 0)
  cpu.setControl(CR4, cpu.cr4 | BigInt(bits) | (delivery === 'fred' ? CR4_FRED : 0n))
  if (delivery === 'fred') dropIdtDelivery(cpu)
  fillCpuInfo(cpu)
}

/** The fields above fred_info that a CPU has from its boot on. */
function fillCpuInfo(cpu: Cpu): void {
  const stack = stackOf(cpu.id).linear
  const field = (name: string): bigint => stack + BigInt(cpuStateOffset(name))
  const processor = (BigInt(HYPERVISOR_DS32) << 32n) | BigInt(cpu.id)
  cpu.space.write64(field('processor_id'), processor)
  cpu.space.write64(field('cr4'), cpu.cr4)
}
