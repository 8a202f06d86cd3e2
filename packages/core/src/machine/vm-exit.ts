import type { Cpu } from '../cpu/cpu.js'
import { STATUS } from '../state/registers.js'
import { RFLAGS_FIXED } from '../state/rflags.js'
import { BLOCKED_BY_NMI, HALTED, INSTRUCTION_SHADOW } from '../state/status.js'

/** The host-state area as far as it matters here (SDM 3C 28.5). */
export interface HostState {
  readonly rip: bigint
  readonly rsp: bigint
  readonly gsBase?: bigint
  readonly fsBase?: bigint
  readonly ssp?: bigint
  /** The exit was caused by an NMI: NMIs are blocked afterwards. */
  readonly nmiExit?: boolean
}

/**
 * A VM exit: the host's state is loaded, and no delivery mechanism takes part (A4). RFLAGS becomes 2, blocking by STI
 * and MOV SS ends; an exit for an NMI leaves NMIs blocked, with nothing on any stack that would unblock them.
 */
export function loadHostState(cpu: Cpu, host: HostState): void {
  cpu.rip = host.rip
  cpu.rsp = host.rsp
  cpu.rflags = BigInt(RFLAGS_FIXED)
  if (host.gsBase !== undefined) cpu.gsBase = host.gsBase
  if (host.fsBase !== undefined) cpu.fsBase = host.fsBase
  if (host.ssp !== undefined) cpu.ssp = host.ssp
  cpu.words[STATUS] =
    (cpu.words[STATUS]! & ~(INSTRUCTION_SHADOW | HALTED)) | (host.nmiExit === true ? BLOCKED_BY_NMI : 0)
  cpu.setCpl(0)
  cpu.refresh()
}
