import { HARDWARE_EXCEPTION, IF, OTHER_EVENT, PRIVILEGED_SOFTWARE_EXCEPTION, SOFTWARE_EXCEPTION } from '@trapframe/core'
import { decodeFrame, FRAME_BYTES } from '@trapframe/fred'
import { deliveryOf } from '../delivery.js'
import { showCode } from '../diagnostics/show-code.js'
import { banner, liveState, registerLines, showRegisters } from '../diagnostics/show-registers.js'
import { showStackOverflow } from '../diagnostics/show-stack-overflow.js'
import { userRegsOffset } from '../layout/user-regs.js'
import { askParts } from '../parts/part.js'
import type { Call, Outcome } from './context.js'
import { eventTypeName, hex4, hex16, otherEventName, xenVectorName } from './vector-name.js'

const STARS = '*'.repeat(40)

/** Prints why, and stops this CPU for good, unless a part of Xen has something left for it to do. */
export function panic(call: Call, ...message: string[]): Outcome {
  const { machine, cpu, build } = call
  for (const line of ['', STARS, `Panic on CPU ${cpu.id}:`, ...message, STARS]) machine.log(line, cpu)
  cpu.rip = askParts(call, (part) => part.panicked?.(call) ?? null) ?? build.label('panic_stop')
  return 'gone'
}

/** show_execution_state: registers and code. */
function showExecutionState(call: Call): void {
  showRegisters(call)
  showCode(call)
}

/** An exception or event that Xen can do nothing about. Under FRED the frame says what it was, and so does the message. */
export function fatalTrap(call: Call, vector: number): Outcome {
  showExecutionState(call)
  return panic(call, `FATAL TRAP: ${deliveryOf(call.cpu) === 'fred' ? fredEvent(call) : plainVector(call, vector)}`)
}

const errorCode = ({ regs }: Call): string => hex4(Number(regs.get('error_code')))

const context = ({ regs }: Call): string => ((regs.get('rflags') & BigInt(IF)) === 0n ? ' IN INTERRUPT CONTEXT' : '')

const plainVector = (call: Call, vector: number): string =>
  `vec ${vector}, ${xenVectorName(vector)}[${errorCode(call)}]${context(call)}`

/** Type and vector, with the error code where the type has one, and a name where the vector has one. */
function fredEvent(call: Call): string {
  const { cpu, regs } = call
  const frame = decodeFrame(cpu.space.read(regs.address + BigInt(userRegsOffset('error_code')), FRAME_BYTES))
  const { type, vector } = frame
  const event = `type ${type}, ${eventTypeName(type)}, `
  if (isException(type)) return event + plainVector(call, vector)
  return `${event}vec ${vector}, ${type === OTHER_EVENT ? otherEventName(vector) : ''}${context(call)}`
}

const isException = (type: number): boolean =>
  type === HARDWARE_EXCEPTION || type === PRIVILEGED_SOFTWARE_EXCEPTION || type === SOFTWARE_EXCEPTION

/** A page fault of Xen's own code. */
export function fatalPageFault(call: Call, address: bigint): Outcome {
  showExecutionState(call)
  return panic(
    call,
    'FATAL PAGE FAULT',
    `[error_code=${errorCode(call)}]`,
    `Faulting linear address: ${hex16(address)}`,
  )
}

/**
 * do_double_fault: there is nothing to go back to. The frame may be one of the guest's or of Xen's; what it says about
 * stacks is the question, so that the report is about them, and everything else is read from the CPU (X11).
 */
export function doubleFault(call: Call): Outcome {
  const { machine, cpu, regs } = call
  const lines = registerLines(call, regs, liveState(cpu), 'hypervisor', null)
  for (const line of ['*** DOUBLE FAULT ***', banner(call), `CPU:    ${cpu.id}`, ...lines]) machine.log(line, cpu)
  showCode(call)
  showStackOverflow(call)
  return panic(call, 'DOUBLE FAULT -- system shutdown')
}
