/** @import { Call, Outcome } from './call.mjs' */
import {
  TF,
  VECTOR_AC,
  VECTOR_BP,
  VECTOR_BR,
  VECTOR_CP,
  VECTOR_DB,
  VECTOR_DE,
  VECTOR_DF,
  VECTOR_GP,
  VECTOR_MC,
  VECTOR_MF,
  VECTOR_NM,
  VECTOR_NMI,
  VECTOR_NP,
  VECTOR_OF,
  VECTOR_PF,
  VECTOR_SS,
  VECTOR_TS,
  VECTOR_UD,
  VECTOR_XM,
  writeMsr,
} from '@trapframe/core'
import { count } from '../per-cpu.mjs'
import { isUser } from '../pt-regs.mjs'
import { DONE, handledBy } from './call.mjs'
import { endTask, panic } from './fatal.mjs'
import { hex, hex16 } from './print.mjs'

/** #VC: what a guest with an encrypted state raises where it needs its hypervisor (AMD APM volume 2, 15.35). */
export const VECTOR_VC = 29
const IA32_MCG_STATUS = 0x17a
/** MONITORX is three bytes. */
const MONITORX_BYTES = 3n

/** What the kernel calls the exceptions that it knows. @type {Readonly<Record<number, string>>} */
const NAMES = {
  [VECTOR_DE]: 'divide error',
  [VECTOR_DB]: 'debug',
  [VECTOR_NMI]: 'NMI',
  [VECTOR_BP]: 'int3',
  [VECTOR_OF]: 'overflow',
  [VECTOR_BR]: 'bounds',
  [VECTOR_UD]: 'invalid opcode',
  [VECTOR_NM]: 'device not available',
  [VECTOR_DF]: 'double fault',
  [VECTOR_TS]: 'invalid TSS',
  [VECTOR_NP]: 'segment not present',
  [VECTOR_SS]: 'stack segment',
  [VECTOR_GP]: 'general protection fault',
  [VECTOR_PF]: 'page fault',
  [VECTOR_MF]: 'fpu exception',
  [VECTOR_AC]: 'alignment check',
  [VECTOR_MC]: 'machine check',
  [VECTOR_XM]: 'simd exception',
  [VECTOR_CP]: 'control protection exception',
  [VECTOR_VC]: 'VMM communication exception',
}

/** These have types of their own: an NMI, INT3, INTO. */
const NO_HARDWARE_EXCEPTIONS = [VECTOR_NMI, VECTOR_BP, VECTOR_OF]

/** Whether the kernel knows a vector as a hardware exception's. @type {(vector: number) => boolean} */
export const isHardwareException = (vector) => Object.hasOwn(NAMES, vector) && !NO_HARDWARE_EXCEPTIONS.includes(vector)

/**
 * An exception by its vector, whichever way it was delivered.
 *
 * @param {Call} call
 * @param {number} vector
 * @param {bigint} errorCode
 * @param {() => bigint} faultingAddress that of #PF
 * @returns {Outcome}
 */
export function handleException(call, vector, errorCode, faultingAddress) {
  const { cpu, regs } = call
  handledBy(call, `exc_${(NAMES[vector] ?? `vector_${vector}`).toLowerCase().replaceAll(' ', '_')}`)
  switch (vector) {
    case VECTOR_NMI:
      count(cpu, 'nmi_count')
      return DONE
    case VECTOR_MC:
      count(cpu, 'machine_check_count')
      // MCIP is cleared: the next machine check may come.
      writeMsr(cpu, IA32_MCG_STATUS, 0n)
      return DONE
    case VECTOR_DF:
      return panic(call, `double fault: ${hex(errorCode)}`)
    case VECTOR_VC:
      // Passed over: the hypervisor shall not learn the address that is to be watched.
      regs.set('rip', regs.get('rip') + MONITORX_BYTES)
      return DONE
  }
  if (isUser(regs)) return userException(call, vector, errorCode, faultingAddress)
  return kernelException(call, vector, errorCode, faultingAddress)
}

/** @param {Call} call @param {number} vector @param {bigint} errorCode @param {() => bigint} faultingAddress */
function userException(call, vector, errorCode, faultingAddress) {
  const { machine, cpu, regs } = call
  const where = `ip:${hex(regs.get('rip'))} sp:${hex(regs.get('rsp'))} error:${hex(errorCode)}`
  const what = vector === VECTOR_PF ? `segfault at ${hex(faultingAddress())}` : (NAMES[vector] ?? `vector ${vector}`)
  machine.log(`traps: guest[${cpu.id + 1}] ${what} ${where}`, cpu)
  return endTask(call)
}

/** @param {Call} call @param {number} vector @param {bigint} errorCode @param {() => bigint} faultingAddress */
function kernelException(call, vector, errorCode, faultingAddress) {
  const { regs } = call
  if (vector === VECTOR_DB) {
    regs.set('rflags', regs.get('rflags') & ~BigInt(TF))
    return DONE
  }
  if (vector === VECTOR_PF) {
    return panic(call, `BUG: unable to handle page fault for address: ${hex16(faultingAddress())}`)
  }
  return panic(call, `Oops: ${NAMES[vector] ?? `vector ${vector}`}: ${hex(errorCode).padStart(4, '0')}`)
}
