import { checkEndbranch } from '../cet/endbranch.js'
import { instructionBreakpoints } from '../cpu/breakpoints.js'
import type { Cpu } from '../cpu/cpu.js'
import { deliverEvent, takeFault } from '../event/deliver.js'
import { db, Fault } from '../event/fault.js'
import { pendDebugTrap, takePendingEvent } from '../event/pending.js'
import { DR6_BS } from '../state/control.js'
import { RFLAGS, RIP, STATUS } from '../state/registers.js'
import { RF, TF } from '../state/rflags.js'
import { ARRIVING, HALTED, INSTRUCTION_SHADOW, SHUTDOWN, WAIT_FOR_SIPI } from '../state/status.js'
import { advance, fetch } from './fetch.js'

/** What one step did; `idle`: nothing was executed or delivered. */
export type StepResult = 'instruction' | 'event' | 'idle'

/**
 * One step of a CPU: the highest pending event that is not blocked, or else one instruction with whatever it raises
 * (one iteration of a repeated string instruction). First it accepts what was sent to it. A halted CPU without a wake-up,
 * and one in shutdown, is idle.
 *
 * @throws UnsupportedError when the instruction is not modelled, MachineError when no decoder or mechanism is there
 */
export function step(cpu: Cpu): StepResult {
  const { words } = cpu
  if (
    words[STATUS] !== 0 ||
    (words[RFLAGS]! & (TF | RF)) !== 0 ||
    cpu.codeSize !== 64 ||
    cpu.endbranchTracking ||
    cpu.instructionBreakpoints ||
    cpu.observer !== null
  ) {
    return stepSlowly(cpu)
  }
  cpu.startLo = words[RIP]!
  cpu.startHi = words[RIP + 1]!
  try {
    const code = fetch(cpu)
    advance(cpu, code.length)
    code.run(cpu, code.insn)
    if (cpu.shadow !== 0 || cpu.singleStep) complete(cpu)
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown
    takeFault(cpu, thrown)
  }
  return 'instruction'
}

/**
 * Steps a CPU `count` times at most and stops early when it is idle. Returns how many steps did something. The loop of
 * benchmarks and of searches.
 */
export function run(cpu: Cpu, count: number): number {
  for (let done = 0; done < count; done++) {
    if (step(cpu) === 'idle') return done
  }
  return count
}

/** The same with everything that can be in the way of an instruction. */
function stepSlowly(cpu: Cpu): StepResult {
  const { words } = cpu
  if ((words[STATUS]! & ARRIVING) !== 0) cpu.machine.interruptController!.arrive(cpu)
  if ((words[STATUS]! & (SHUTDOWN | WAIT_FOR_SIPI)) !== 0) return 'idle'
  const event = takePendingEvent(cpu)
  cpu.startLo = words[RIP]!
  cpu.startHi = words[RIP + 1]!
  if (event !== null) {
    deliverEvent(cpu, event)
    return 'event'
  }
  if ((words[STATUS]! & HALTED) !== 0) return 'idle'
  const shadowBefore = words[STATUS]! & INSTRUCTION_SHADOW
  // RF lasts for one instruction; an instruction that loads RFLAGS may set it again, one that faults keeps it.
  const rf = words[RFLAGS]! & RF
  cpu.shadow = 0
  cpu.singleStep = (words[RFLAGS]! & TF) !== 0
  try {
    if (cpu.instructionBreakpoints && rf === 0) checkInstructionBreakpoints(cpu)
    const code = fetch(cpu)
    if (cpu.endbranchTracking) checkEndbranch(cpu, code.insn)
    cpu.observer?.instruction?.(cpu, code.insn)
    advance(cpu, code.length)
    words[RFLAGS] = words[RFLAGS]! & ~RF
    code.run(cpu, code.insn)
    if (shadowBefore !== 0) words[STATUS] = words[STATUS]! & ~shadowBefore
    complete(cpu)
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown
    words[RFLAGS] = words[RFLAGS]! | rf
    takeFault(cpu, thrown)
  }
  return 'instruction'
}

/** What an instruction that completed leaves for the next boundary: its blocking begins, its single-step trap pends. */
function complete(cpu: Cpu): void {
  if (cpu.shadow !== 0) {
    cpu.words[STATUS] = cpu.words[STATUS]! | cpu.shadow
    cpu.shadow = 0
  }
  if (cpu.singleStep) {
    cpu.singleStep = false
    pendDebugTrap(cpu, DR6_BS)
  }
}

/** An instruction breakpoint is a fault, taken before the instruction is fetched. */
function checkInstructionBreakpoints(cpu: Cpu): void {
  const met = instructionBreakpoints(cpu, cpu.words[RIP]!, cpu.words[RIP + 1]!)
  if (met !== 0) throw db(met)
}
