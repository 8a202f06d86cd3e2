import { type Cpu, CR2, VECTOR_PF } from '@trapframe/core'
import { vcpuName } from '../diagnostics/show-registers.js'
import { crashDomain } from '../exit/domain-crash.js'
import type { Call, Outcome } from './context.js'
import { PV_INTERFACE, type PvEvent } from './pv-interface.js'
import { hex4, xenVectorName } from './vector-name.js'

/** Hands an event to the PV interface. */
export function toGuest(call: Call, event: PvEvent): Outcome {
  const { machine, cpu } = call
  const [first] = machine.contributions(PV_INTERFACE)
  const answer = first!.value.handle(call, event)
  if (answer === 'resume') return 'return'
  if (event.kind === 'exception') {
    const { vector, errorCode } = event
    const detail = `${xenVectorName(vector)}[${hex4(errorCode ?? 0)}]`
    machine.log(`${vcpuName(cpu)} Unhandled: vec ${vector}, ${detail}`, cpu)
  }
  return crashDomain(call, answer.crash)
}

/** The exception that a guest raised; `address` is that of #PF. */
export const exceptionOf = (vector: number, errorCode: number | null, address: bigint): PvEvent => ({
  kind: 'exception',
  vector,
  errorCode,
  address: vector === VECTOR_PF ? address : 0n,
})

/** The faulting address of #PF as the IDT leaves it. */
export const faultingAddress = (cpu: Cpu): bigint => cpu.get64(CR2)
