import { type Cpu, VECTOR_PF } from '@trapframe/core'
import { type CpuInfoLayout, guestUserRegs, vcpuOf } from '@trapframe/xen'
import { isCompat } from '../context.js'
import { CRASH_FRAME_FAULT } from '../crash.js'
import { pvStateOf } from '../state/pv-fields.js'
import { vcpuInfoOf } from '../state/vcpu-info.js'

/** How a domain ended: what Xen said, and the guest's registers that it showed. */
export interface DomainCrash {
  readonly reason: string
  /** The exception that had no handler: `vec 13, #GP[0402]`. */
  readonly unhandled?: string
  /** The address that could not be written, or that of the unhandled #PF. */
  readonly faultAddress?: bigint
  readonly cs: bigint
  readonly rip: bigint
  readonly rflags: bigint
  readonly rsp: bigint
  readonly ss: bigint
}

const REASON = / domain crash: (.*)$/
const SYNCHRONOUS = /^domain_crash_sync called from entry\.S: (.*)$/
const UNHANDLED = / Unhandled: (.*)$/
const PAGE_FAULT = new RegExp(`^vec ${VECTOR_PF},`)

/** The end of the domain that Xen's log tells of, if it does; the registers are still where Xen had them. */
export function readDomainCrash(cpu: Cpu, log: readonly string[], layout: CpuInfoLayout): DomainCrash | null {
  const reason = lastMatch(log, REASON) ?? lastMatch(log, SYNCHRONOUS)
  if (reason === null) return null
  const unhandled = lastMatch(log, UNHANDLED)
  const regs = guestUserRegs(cpu, layout)
  const faultAddress = addressOf(cpu, layout, reason, unhandled)
  return {
    reason,
    ...(unhandled === null ? {} : { unhandled }),
    ...(faultAddress === null ? {} : { faultAddress }),
    cs: regs.get('cs') & 0xffffn,
    rip: regs.get('rip'),
    rflags: regs.get('rflags'),
    rsp: regs.get('rsp'),
    ss: regs.get('ss') & 0xffffn,
  }
}

function addressOf(cpu: Cpu, layout: CpuInfoLayout, reason: string, unhandled: string | null): bigint | null {
  const pv = pvStateOf(cpu, vcpuOf(cpu, 'guest', layout))
  if (reason === CRASH_FRAME_FAULT) return pv.get('crash_address')
  return unhandled !== null && PAGE_FAULT.test(unhandled) ? vcpuInfoOf(cpu, isCompat({ pv })).get('cr2') : null
}

function lastMatch(log: readonly string[], pattern: RegExp): string | null {
  for (let i = log.length - 1; i >= 0; i--) {
    const match = pattern.exec(log[i]!)
    if (match !== null) return match[1]!
  }
  return null
}
