import { type Cpu, CR2, DR6, DR6_FIXED, type Machine, VECTOR_DB, VECTOR_PF } from '@trapframe/core'
import { crashDomain } from '../exit/domain-crash.js'
import type { CpuInfoLayout } from '../layout/cpu-info.js'
import { vcpuOf } from '../registers/context-switch.js'
import type { Call, Outcome, XenFunction } from './context.js'
import { PV_INTERFACE, type PvAnswer, type PvEvent, type PvInterface } from './pv-interface.js'

/** Hands an event to the PV interface. */
export function toGuest(call: Call, event: PvEvent): Outcome {
  const answer = pvInterface(call).handle(call, event)
  return answer === 'resume' ? 'return' : crashDomain(call, answer.crash)
}

const pvInterface = ({ machine }: { readonly machine: Machine }): PvInterface =>
  machine.contributions(PV_INTERFACE)[0]!.value

/** Delivers what waits for the guest; RAX = 1 when something did, and more may wait. */
export const testGuestEvents: XenFunction = (call) => {
  const answer = pvInterface(call).beforeReturn?.(call) ?? 'resume'
  if (answer === 'resume') return { value: 0n }
  return answer === 'again' ? { value: 1n } : crashDomain(call, answer.crash)
}

/** Tells the PV interface that a segment of the vCPU could not be loaded. */
export const badSegments = (call: Call): PvAnswer => pvInterface(call).badSegments?.(call) ?? 'resume'

/** Tells the PV interface that a CPU is about to run the guest's vCPU. */
export const loadVcpu = (cpu: Cpu, layout: CpuInfoLayout): void =>
  pvInterface(cpu).loadVcpu?.(cpu, vcpuOf(cpu, 'guest', layout))

/** The exception that a guest raised; `data` is the address of #PF, or the conditions of #DB. */
export const exceptionOf = (vector: number, errorCode: number | null, data: bigint): PvEvent => ({
  kind: 'exception',
  vector,
  errorCode,
  address: vector === VECTOR_PF ? data : 0n,
  ...(vector === VECTOR_DB ? { conditions: data } : {}),
})

/** What FRED has as event data, as the IDT leaves it in registers: the address of #PF, the conditions of #DB. */
export const dataInRegisters = (cpu: Cpu, vector: number): bigint =>
  vector === VECTOR_DB ? takeDebugConditions(cpu) : cpu.get64(CR2)

/** DR6 with every bit positive. It is put back to its default, so that the next #DB tells what has happened since. */
function takeDebugConditions(cpu: Cpu): bigint {
  const conditions = (cpu.words[DR6]! ^ DR6_FIXED) >>> 0
  cpu.words[DR6] = DR6_FIXED
  return BigInt(conditions)
}
