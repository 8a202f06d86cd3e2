/** @import { Call, Outcome } from './call.mjs' */
import { AC, ARITHMETIC_FLAGS, DF, Fault, RF, TF, VECTOR_GP } from '@trapframe/core'
import { count } from '../per-cpu.mjs'
import { handledBy, MAY_SCHEDULE } from './call.mjs'
import { handleException } from './exceptions.mjs'
import { endTask } from './fatal.mjs'
import { loadUserQuad } from './quadword.mjs'

/** The vector of the 32-bit system call. */
export const VECTOR_INT80 = 0x80

const ENOSYS = 38n
const NO_SUCH_CALL = BigInt.asUintN(64, -ENOSYS)

/** A system call returns its result, or nothing where it has loaded or ended the task's registers itself. */
/** @typedef {(call: Call) => bigint | Outcome | undefined} SystemCall */

/** @type {SystemCall} */
const getpid = ({ cpu }) => BigInt(cpu.id + 1)

/** System calls by number, of which a few are here. @type {Readonly<Record<number, SystemCall>>} */
const CALLS = { 15: sigreturn, 39: getpid, 60: endTask }
/** The same by the numbers of the 32-bit ABI. @type {Readonly<Record<number, SystemCall>>} */
const CALLS32 = { 1: endTask, 20: getpid }

/**
 * SYSCALL, whichever way it came.
 *
 * @param {Call} call
 * @returns {Outcome}
 */
export function systemCall(call) {
  return serve(call, CALLS, call.regs.get('rax'))
}

/** INT 80h, with 32-bit numbers and results. @param {Call} call @returns {Outcome} */
export function int80SystemCall(call) {
  return serve(call, CALLS32, call.regs.get('rax') & 0xffff_ffffn)
}

/** @param {Call} call @param {Readonly<Record<number, SystemCall>>} table @param {bigint} number @returns {Outcome} */
function serve(call, table, number) {
  const { cpu, regs } = call
  handledBy(call, table === CALLS ? 'do_syscall_64' : 'do_int80_syscall_32')
  count(cpu, 'system_calls')
  regs.set('orig_ax', number)
  const serve = number < 512n ? table[Number(number)] : undefined
  const result = serve === undefined ? NO_SUCH_CALL : serve(call)
  if (result === 'gone') return 'gone'
  if (result !== undefined) regs.set('rax', result)
  return MAY_SCHEDULE
}

/** The flags that a program may give itself. */
const FREE_FLAGS = BigInt(ARITHMETIC_FLAGS | TF | DF | RF | AC)
const RPL_3 = 3n
const SELECTOR = 0xffffn

/**
 * The way back from a signal handler: registers from the user's stack, whatever they are, made ring 3's. Much smaller than
 * Linux's: RIP, CS, RFLAGS, RSP, SS, low to high.
 *
 * @param {Call} call
 */
function sigreturn(call) {
  const { cpu, regs } = call
  const from = regs.get('rsp')
  try {
    const [rip, cs, rflags, rsp, ss] = [0n, 8n, 16n, 24n, 32n].map((offset) => loadUserQuad(cpu, from + offset))
    regs.set('rip', rip ?? 0n)
    regs.set('cs', ((cs ?? 0n) & SELECTOR) | RPL_3)
    regs.set('rflags', (regs.get('rflags') & ~FREE_FLAGS) | ((rflags ?? 0n) & FREE_FLAGS))
    regs.set('rsp', rsp ?? 0n)
    // FRED keeps what the event was in the rest of the quadword.
    regs.set('ss', (regs.get('ss') & ~SELECTOR) | ((ss ?? 0n) & SELECTOR) | RPL_3)
    return undefined
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return handleException(call, VECTOR_GP, 0n, () => from)
  }
}
