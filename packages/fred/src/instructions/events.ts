import {
  DR6_BS,
  deliverEvent,
  type EventType,
  instructionEvent,
  OF,
  OTHER_EVENT,
  PENDING_DEBUG,
  type PluginHost,
  PRIVILEGED_SOFTWARE_EXCEPTION,
  RFLAGS,
  type Semantics,
  SOFTWARE_EXCEPTION,
  SOFTWARE_INTERRUPT,
  ud,
  VECTOR_BP,
  VECTOR_DB,
  VECTOR_OF,
} from '@trapframe/core'

/** Vectors of type 7. */
export const VECTOR_SYSCALL = 1
export const VECTOR_SYSENTER = 2

/** INT n: type 4. No DPL is checked, for there is no gate; what may be raised is software's to decide. */
const int: Semantics = (cpu, insn) =>
  deliverEvent(cpu, instructionEvent(SOFTWARE_INTERRUPT, insn.operands[0]!.lo & 0xff, insn.length))

/** An instruction that always raises one event. */
const raises =
  (type: EventType, vector: number): Semantics =>
  (cpu, insn) =>
    deliverEvent(cpu, instructionEvent(type, vector, insn.length))

/** INTO: type 6 if OF is set. In 64-bit mode its opcode is undefined. */
const into: Semantics = (cpu, insn) => {
  if ((cpu.words[RFLAGS]! & OF) !== 0) deliverEvent(cpu, instructionEvent(SOFTWARE_EXCEPTION, VECTOR_OF, insn.length))
}

/**
 * SYSCALL: type 7, vector 1, also from ring 0. EFER.SCE is not looked at, RCX and R11 stay.
 *
 * @throws #UD outside 64-bit mode on CPUs that have it so
 */
const syscall: Semantics = (cpu, insn) => {
  if (cpu.codeSize !== 64 && !cpu.model.behaviour.syscallFromCompatibilityMode) throw ud()
  deliverEvent(cpu, instructionEvent(OTHER_EVENT, VECTOR_SYSCALL, insn.length))
}

/** SYSENTER: type 7, vector 2, in both modes, whatever IA32_SYSENTER_CS holds. @throws #UD on CPUs without it in long mode */
const sysenter: Semantics = (cpu, insn) => {
  if (!cpu.model.behaviour.sysenterInLongMode) throw ud()
  deliverEvent(cpu, instructionEvent(OTHER_EVENT, VECTOR_SYSENTER, insn.length))
}

/** INT1 with the breakpoints and the single step that wait for the end of the instruction as its event data. */
const int1WithConditions: Semantics = (cpu, insn) => {
  const conditions = cpu.words[PENDING_DEBUG]! | (cpu.singleStep ? DR6_BS : 0)
  deliverEvent(cpu, {
    ...instructionEvent(PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB, insn.length),
    dataLo: conditions,
  })
}

/**
 * Defines the instructions that are events of their own under FRED (A2).
 *
 * @param int1Conditions whether INT1 reports the debug conditions that were pending
 */
export function defineInstructionEvents(host: PluginHost, int1Conditions: boolean): void {
  const meanings: Readonly<Record<string, Semantics>> = {
    int,
    int3: raises(SOFTWARE_EXCEPTION, VECTOR_BP),
    int1: int1Conditions ? int1WithConditions : raises(PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB),
    into,
    syscall,
    sysenter,
  }
  for (const [mnemonic, execute] of Object.entries(meanings)) {
    host.instructions.define({ mnemonic, under: 'fred', execute })
  }
}
