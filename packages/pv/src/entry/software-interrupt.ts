import { VECTOR_GP } from '@trapframe/core'
import { injectException, injectInterrupt } from '../bounce/inject.js'
import { inKernelMode, type PvContext } from '../context.js'
import { guestInstruction } from '../emulate/guest-instruction.js'
import { permitsInterrupt, trapInfo } from '../state/trap-table.js'

/** The vector that Xen has a gate for on behalf of guests: the system call of old. */
const VECTOR_INT80 = 0x80
const OPCODE_INT = 0xcd

/** What a gate that refused INT n leaves as error code: the vector's place in the table, which is the IDT. */
const gateErrorCode = (vector: number): number => (vector << 3) | 2

/** INT n that came as such, with RIP behind its `length` bytes. */
export function handleSoftwareInterrupt(context: PvContext, vector: number, length: number): void {
  if (vector === VECTOR_INT80) return handleInt80(context, length)
  const { regs } = context
  if (permitted(context, vector)) {
    noteInterrupt(context)
    return injectInterrupt(context, vector)
  }
  regs.set('rip', regs.get('rip') - BigInt(length))
  refuse(context, vector)
}

/** INT n that came as the #GP of Xen's own gate, with RIP at its first prefix. */
export function handleRefusedGate(context: PvContext, vector: number): void {
  const { regs, shows } = context
  const instruction = permitted(context, vector) ? guestInstruction(context) : null
  if (instruction === null || instruction.opcode !== OPCODE_INT || (instruction.rex && !shows.rexBeforeInt)) {
    return refuse(context, vector)
  }
  regs.set('rip', regs.get('rip') + BigInt(instruction.length))
  noteInterrupt(context)
  injectInterrupt(context, vector)
}

/** INT 80h: the entry if there is one, else #GP. */
function handleInt80(context: PvContext, length: number): void {
  const { regs, shows } = context
  const present = trapInfo(context, VECTOR_INT80).address !== 0n
  if (present && (!shows.int80ChecksDpl || permitted(context, VECTOR_INT80))) {
    return injectInterrupt(context, VECTOR_INT80)
  }
  regs.set('rip', regs.get('rip') - BigInt(shows.rewind(length)))
  injectException(context, VECTOR_GP, gateErrorCode(VECTOR_INT80))
}

const permitted = (context: PvContext, vector: number): boolean =>
  permitsInterrupt(trapInfo(context, vector), inKernelMode(context))

function refuse(context: PvContext, vector: number): void {
  noteInterrupt(context)
  injectException(context, VECTOR_GP, gateErrorCode(vector))
}

function noteInterrupt({ regs, shows }: PvContext): void {
  regs.set('rflags', shows.interruptRflags(regs.get('rflags')))
}
