/**
 * Bits of the STATUS word: pending events, blocking and activity. They share a word so that the stepping loop asks one
 * question per instruction.
 */

/** An NMI is latched. There is one latch: a second NMI while it is set is lost. */
export const PENDING_NMI = 1 << 0
/** At least one bit of PENDING_INTERRUPTS is set. */
export const PENDING_INTERRUPT = 1 << 1
/** PENDING_DEBUG holds a trap for the next boundary. */
export const PENDING_TRAP = 1 << 2
/** A machine check (#MC) is pending. */
export const PENDING_MACHINE_CHECK = 1 << 3

/** STI set IF: maskable interrupts wait for one instruction (SDM 3A 6.8.1). */
export const BLOCKED_BY_STI = 1 << 4
/** MOV SS or POP SS: interrupts, NMIs and debug traps wait for one instruction (SDM 3A 6.8.3). */
export const BLOCKED_BY_MOV_SS = 1 << 5
/** An NMI was delivered and has not returned: further NMIs stay latched. */
export const BLOCKED_BY_NMI = 1 << 6

/** HLT was executed: waiting for an event. */
export const HALTED = 1 << 7
/** A fault met the delivery of #DF, or a machine check one that was not handled yet. Only a reset leaves this state. */
export const SHUTDOWN = 1 << 8

/** The interrupt controller asks for an interrupt; it names the vector when the CPU takes it. */
export const PENDING_REQUEST = 1 << 9
/** Something was sent to the CPU: the interrupt controller accepts it at the CPU's next boundary. */
export const ARRIVING = 1 << 10
/** INIT stopped the CPU: it waits for a startup IPI, and takes nothing else. */
export const WAIT_FOR_SIPI = 1 << 11

/** Any event that waits for the next boundary. */
export const PENDING_ANY = PENDING_NMI | PENDING_INTERRUPT | PENDING_REQUEST | PENDING_TRAP | PENDING_MACHINE_CHECK
/** What lasts for one instruction only. */
export const INSTRUCTION_SHADOW = BLOCKED_BY_STI | BLOCKED_BY_MOV_SS
