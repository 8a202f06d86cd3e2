import type { Cpu } from '../cpu/cpu.js'
import { MachineError } from '../error.js'
import { DR6_BREAKPOINTS, DR7_GD } from '../state/control.js'
import { CR2, DR6, DR7, PENDING_DEBUG, RIP, STATUS } from '../state/registers.js'
import { BLOCKED_BY_NMI, HALTED, INSTRUCTION_SHADOW, PENDING_TRAP, SHUTDOWN } from '../state/status.js'
import {
  type CpuEvent,
  type EventType,
  HARDWARE_EXCEPTION,
  isInstructionEvent,
  NMI,
  PRIVILEGED_SOFTWARE_EXCEPTION,
  SOFTWARE_EXCEPTION,
  SOFTWARE_INTERRUPT,
  VECTOR_DB,
  VECTOR_DF,
  VECTOR_MC,
  VECTOR_PF,
} from './event.js'
import { doubleFault, Fault, faultEvent, isDoubleFault } from './fault.js'
import { beginMachineCheck } from './machine-check.js'

/**
 * Delivers an event through the active mechanism, and what becomes of it: a fault met on the way is a nested event, a
 * double fault or, while #DF is delivered, shutdown (SDM 3A 6.15, fred.md). RIP must be what the event reports: the
 * instruction itself for faults, the next one for traps and for types 4 to 7. A machine check while another one is being
 * handled (IA32_MCG_STATUS.MCIP) is not delivered: the CPU shuts down.
 *
 * @throws MachineError when no delivery mechanism is active
 */
export function deliverEvent(cpu: Cpu, event: CpuEvent): void {
  const { words, mechanism } = cpu
  if (mechanism === null) {
    throw new MachineError('no-mechanism', 'an event arrived and no delivery mechanism is active', {
      hint: 'load idt() or fred() and set CR4 and EFER as it needs them',
    })
  }
  if (event.type === HARDWARE_EXCEPTION && event.vector === VECTOR_MC && !beginMachineCheck(cpu)) {
    shutDown(cpu, event)
    return
  }
  let current = event
  for (;;) {
    noteConditions(cpu, current)
    cpu.observer?.delivering?.(cpu, current)
    cpu.ext = current.type === SOFTWARE_INTERRUPT || current.type === SOFTWARE_EXCEPTION ? 0 : 1
    cpu.delivering = true
    let fault: Fault
    try {
      mechanism.deliver(cpu, current)
      words[STATUS] = (words[STATUS]! & ~(INSTRUCTION_SHADOW | HALTED)) | (current.type === NMI ? BLOCKED_BY_NMI : 0)
      cpu.shadow = 0
      cpu.singleStep = false
      cpu.observer?.delivered?.(cpu, current, mechanism.name)
      return
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown
      fault = thrown
    } finally {
      cpu.delivering = false
      cpu.ext = 0
    }
    cpu.observer?.fault?.(cpu, fault, current)
    if (isInstructionEvent(current.type)) {
      words[RIP] = cpu.startLo
      words[RIP + 1] = cpu.startHi
    }
    if (current.type === HARDWARE_EXCEPTION && current.vector === VECTOR_DF) {
      shutDown(cpu, current)
      return
    }
    if (isDoubleFault(current, fault)) {
      noteConditions(cpu, faultEvent(fault, true))
      current = doubleFault()
    } else {
      current = faultEvent(fault, true)
    }
  }
}

function shutDown(cpu: Cpu, event: CpuEvent): void {
  cpu.words[STATUS] = (cpu.words[STATUS]! & ~HALTED) | SHUTDOWN
  cpu.shadow = 0
  cpu.singleStep = false
  cpu.observer?.shutdown?.(cpu, event)
}

/** What an event leaves in registers whatever becomes of its delivery: CR2, DR6, DR7.GD, the pending debug trap. */
function noteConditions(cpu: Cpu, event: CpuEvent): void {
  const { words } = cpu
  if (event.type === HARDWARE_EXCEPTION) {
    if (event.vector === VECTOR_PF) {
      words[CR2] = event.dataLo
      words[CR2 + 1] = event.dataHi
    } else if (event.vector === VECTOR_DB) {
      words[DR6] = words[DR6]! | event.dataLo
      words[DR7] = words[DR7]! & ~DR7_GD
    }
  }
  if ((words[STATUS]! & PENDING_TRAP) !== 0) {
    words[PENDING_DEBUG] = keepsDeferredBreakpoint(event.type) ? words[PENDING_DEBUG]! & DR6_BREAKPOINTS : 0
    if (words[PENDING_DEBUG] === 0) words[STATUS] = words[STATUS]! & ~PENDING_TRAP
  }
}

/**
 * A breakpoint that MOV SS deferred outlives the delivery of a software event (the shape of CVE-2018-8897), but not of
 * INT1, which is a debug exception itself (recorded with a PV guest).
 */
const keepsDeferredBreakpoint = (type: EventType): boolean =>
  isInstructionEvent(type) && type !== PRIVILEGED_SOFTWARE_EXCEPTION

/** Takes a fault that an instruction raised: RIP goes back to the instruction, then the exception is delivered. */
export function takeFault(cpu: Cpu, fault: Fault): void {
  cpu.words[RIP] = cpu.startLo
  cpu.words[RIP + 1] = cpu.startHi
  cpu.shadow = 0
  cpu.observer?.fault?.(cpu, fault, null)
  deliverEvent(cpu, faultEvent(fault, false))
}
