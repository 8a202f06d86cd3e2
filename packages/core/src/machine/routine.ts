import type { Cpu } from '../cpu/cpu.js'
import { UnsupportedError } from '../error.js'
import type { Decoded } from '../instruction/decoded.js'
import { UnmappedError } from '../memory/address-space.js'
import { RIP } from '../state/registers.js'
import type { Machine } from './machine.js'

/**
 * Host code above the assembly: runs as one step, with at most one access to memory that CPUs share, and is named in
 * the trace. It captures no mutable state; RIP is at its address when it is called, and it moves RIP itself
 * (most return as a near RET does).
 */
export interface HostRoutine {
  readonly name: string
  run(machine: Machine, cpu: Cpu): void
}

export const ROUTINE_MNEMONIC = 'host-routine'

/** A routine as the decode table holds it: an instruction of one byte. */
interface RoutineInstruction extends Decoded {
  readonly routine: HostRoutine
}

export function routineInstruction(routine: HostRoutine): RoutineInstruction {
  return {
    mnemonic: ROUTINE_MNEMONIC,
    length: 1,
    codeSize: 64,
    operandSize: 8,
    addressSize: 8,
    operands: [],
    lock: false,
    rep: false,
    repne: false,
    notrack: false,
    text: `<${routine.name}>`,
    routine,
  }
}

/**
 * Semantics of {@link ROUTINE_MNEMONIC}.
 *
 * @throws UnsupportedError where the routine follows an address to which nothing is mapped: what a C function would do there,
 * the routine does not say
 */
export function runRoutine(cpu: Cpu, insn: Decoded): void {
  const { routine } = insn as RoutineInstruction
  cpu.words[RIP] = cpu.startLo
  cpu.words[RIP + 1] = cpu.startHi
  cpu.observer?.dispatched?.(cpu, routine.name)
  try {
    routine.run(cpu.machine, cpu)
  } catch (error) {
    if (!(error instanceof UnmappedError)) throw error
    throw new UnsupportedError('instruction', `host routine ${routine.name} went where it cannot: ${error.message}`, {
      hint: 'an address that it was given, or found in memory, is wrong: the steps before say why',
      cause: error,
    })
  }
}
