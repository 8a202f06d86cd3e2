import type { Cpu } from '@trapframe/core'
import type { Call, Outcome } from '../handlers/context.js'
import { CPU_INFO, type CpuInfoLayout } from '../layout/cpu-info.js'
import { stackOf } from '../layout/memory.js'
import { guestRegsOf, primaryShadowEnd, tokenOf } from '../layout/stack.js'

/** Ways of going on with an empty primary stack instead of returning. */

/** RSP of Xen's own code that nothing called: below cpu_info, aligned as the ABI wants it. */
export const idleRsp = (stack: bigint, layout: CpuInfoLayout = CPU_INFO): bigint => guestRegsOf(stack, layout) & ~0xfn

/** SSP of Xen's own code that nothing called: at the token under the IDT, at the end of the shadow stack under FRED. */
export function primarySsp(cpu: Cpu): bigint {
  const end = primaryShadowEnd(stackOf(cpu.id).linear)
  return cpu.mechanism?.transferPolicy.shadowStackTokens === true ? tokenOf(end) : end
}

/** The CPU has nothing to run any more. */
export function toIdleLoop({ cpu, build }: Call): Outcome {
  return goTo(cpu, build.label('idle_loop'), idleRsp(stackOf(cpu.id).linear, build.layout))
}

/** The CPU goes to the guest whose frame lies on the primary stack. */
export function toGuestCode({ cpu, build }: Call): Outcome {
  return goTo(cpu, build.label('test_all_events'), guestRegsOf(stackOf(cpu.id).linear, build.layout))
}

function goTo(cpu: Cpu, rip: bigint, rsp: bigint): Outcome {
  cpu.rsp = rsp
  if (cpu.supervisorShadowStack) cpu.ssp = primarySsp(cpu)
  cpu.rip = rip
  return 'gone'
}
