import {
  type Cpu,
  type CpuEvent,
  Fault,
  HARDWARE_EXCEPTION,
  NMI,
  PRIVILEGED_SOFTWARE_EXCEPTION,
  VECTOR_DB,
  VECTOR_NM,
  VECTOR_PF,
} from '@trapframe/core'
import { IA32_XFD, IA32_XFD_ERR } from '../msrs.js'

/** What a #DB reports, all positive: B3–B0, bus lock 11, BD 13, BS 14, RTM 16. */
const DEBUG_CONDITIONS = 0x1680f

/**
 * The event-data quadword of the frame (SDM 3A 8.3.4), low half, high half in `cpu.hi`: the linear address of #PF, the
 * conditions of #DB, the components of an XFD #NM, the sources of an NMI where the CPU reports them; 0 for the rest.
 * INT1 and INT 1 have vector 1 and are no #DB: 0, unless INT1 was given conditions.
 */
export function eventData(cpu: Cpu, event: CpuEvent, nmiSources: boolean): number {
  cpu.hi = 0
  if (event.type === HARDWARE_EXCEPTION) {
    switch (event.vector) {
      case VECTOR_DB:
        return event.dataLo & DEBUG_CONDITIONS
      case VECTOR_PF:
      case VECTOR_NM:
        cpu.hi = event.dataHi
        return event.dataLo
      default:
        return 0
    }
  }
  if (event.type === PRIVILEGED_SOFTWARE_EXCEPTION) return event.dataLo & DEBUG_CONDITIONS
  if (event.type === NMI && nmiSources) {
    cpu.hi = event.dataHi
    return event.dataLo
  }
  return 0
}

/**
 * What an instruction does that needs extended state: if IA32_XFD disables one of `components` (a bitmap of XSAVE state
 * components), IA32_XFD_ERR gets those and #NM is thrown, with them as its event data (SDM 1 13.14).
 */
export function checkExtendedFeature(cpu: Cpu, components: bigint): void {
  const { msrs } = cpu.machine
  const disabled = cpu.get64(msrs.get(IA32_XFD)!.slot) & components
  if (disabled === 0n) return
  cpu.set64(msrs.get(IA32_XFD_ERR)!.slot, disabled)
  throw new Fault(VECTOR_NM, 0, Number(BigInt.asIntN(32, disabled)), Number(BigInt.asIntN(32, disabled >> 32n)))
}
