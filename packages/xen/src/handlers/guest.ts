import { type Cpu, CR2, VECTOR_PF } from '@trapframe/core'
import { cpuStateOffset } from '../layout/cpu-info.js'
import { stackOf, vcpuPage } from '../layout/memory.js'
import { guestRegsOf, primaryShadowEnd, tokenOf } from '../layout/stack.js'
import type { Call, Outcome } from './context.js'
import { PV_INTERFACE, type PvEvent } from './pv-interface.js'
import { hex4, xenVectorName } from './vector-name.js'

/** Hands an event to the PV interface. */
export function toGuest(call: Call, event: PvEvent): Outcome {
  const { machine, cpu, regs } = call
  const [first] = machine.contributions(PV_INTERFACE)
  const answer = first!.value.handle({ machine, cpu, regs }, event)
  if (answer === 'resume') return 'return'
  if (event.kind === 'exception') {
    const { vector, errorCode } = event
    const detail = `${xenVectorName(vector)}[${hex4(errorCode ?? 0)}]`
    machine.log(`d1v${cpu.id} Unhandled: vec ${vector}, ${detail}`, cpu)
  }
  machine.log(`Domain 1 (vcpu#${cpu.id}) crashed on cpu#${cpu.id}: ${answer.crash}`, cpu)
  return goIdle(call)
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

/** The domain is stopped: the CPU runs its idle vCPU from now on, on an empty primary stack. */
function goIdle({ cpu, waysOut }: Call): Outcome {
  const stack = stackOf(cpu.id).linear
  setCurrent(cpu, 'idle')
  cpu.rsp = idleRsp(stack)
  if (cpu.supervisorShadowStack) cpu.ssp = primarySsp(cpu)
  cpu.rip = waysOut.idleLoop
  return 'gone'
}

/** Says in cpu_info whose vCPU runs. */
export function setCurrent(cpu: Cpu, whose: 'idle' | 'guest'): void {
  const address = stackOf(cpu.id).linear + BigInt(cpuStateOffset('current_vcpu'))
  cpu.space.write64(address, vcpuPage(cpu.id, whose).linear)
}

/** RSP of Xen's own code that nothing called: below cpu_info, aligned as the ABI wants it. */
export const idleRsp = (stack: bigint): bigint => guestRegsOf(stack) & ~0xfn

/** SSP of Xen's own code that nothing called: at the token under the IDT, at the end of the shadow stack under FRED. */
export function primarySsp(cpu: Cpu): bigint {
  const end = primaryShadowEnd(stackOf(cpu.id).linear)
  return cpu.mechanism?.transferPolicy.shadowStackTokens === true ? tokenOf(end) : end
}
