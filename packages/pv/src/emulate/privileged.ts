import {
  CR4_OSXSAVE,
  CR4_TSD,
  type Decoded,
  OPERAND_CONTROL,
  OPERAND_DEBUG,
  OPERAND_GPR,
  VECTOR_PF,
  VECTOR_UD,
  XCR0,
} from '@trapframe/core'
import { readTimeStamp } from '@trapframe/isa'
import { inKernelMode, type PvContext } from '../context.js'
import { getDebugRegister, setDebugRegister } from '../debug/debug-registers.js'
import { setTaskSwitched } from '../fpu/task-switched.js'
import { ENODEV } from '../hypercall/hypercall.js'
import { readGuestControl, writeGuestControl } from './control-registers.js'
import { emulateCpuid } from './cpuid.js'
import { guestCr4 } from './guest-cr4.js'
import { fetchInstruction } from './guest-instruction.js'
import { RCX, readEdxEax, readGuestGpr, writeEdxEax, writeGuestGpr } from './guest-registers.js'
import { IA32_TSC_AUX, readGuestMsr, writeGuestMsr } from './msrs.js'
import { conclude, DONE, type EmulationOutcome, REFUSED, raises, withRealIf } from './outcome.js'
import { emulateIn, emulateIns, emulateOut, emulateOuts, ioplOk } from './ports.js'

type Emulation = (context: PvContext, insn: Decoded) => EmulationOutcome

/** What the guest's kernel may do and its user code may not. */
const inKernel =
  (emulation: Emulation): Emulation =>
  (context, insn) =>
    inKernelMode(context) ? emulation(context, insn) : REFUSED

const doneIf = (accepted: boolean): EmulationOutcome => (accepted ? DONE : REFUSED)

/** MOV to and from control and debug registers; any other MOV is not Xen's business. */
const move: Emulation = (context, { operands }) => {
  const [to, from] = [operands[0]!, operands[1]!]
  const { regs } = context
  if (from.kind === OPERAND_CONTROL || from.kind === OPERAND_DEBUG) {
    const debug = from.kind === OPERAND_DEBUG
    const read = debug ? getDebugRegister(context, BigInt(from.register)) : readGuestControl(context, from.register)
    if (read === null) return debug ? raises(VECTOR_UD) : REFUSED
    writeGuestGpr(regs, to.register, to.size, read)
    return DONE
  }
  if (from.kind !== OPERAND_GPR) return REFUSED
  const value = readGuestGpr(regs, from.register, from.size)
  if (to.kind === OPERAND_CONTROL) return doneIf(writeGuestControl(context, to.register, value))
  if (to.kind !== OPERAND_DEBUG) return REFUSED
  const result = setDebugRegister(context, BigInt(to.register), value)
  return result === ENODEV ? raises(VECTOR_UD) : doneIf(result === 0)
}

const clearTaskSwitched: Emulation = (context) => {
  setTaskSwitched(context, false)
  return DONE
}

/**
 * CLI and STI are let pass by IOPL, and do nothing: a guest that turned its events off by CLI might want them back by POPF,
 * which Xen never sees.
 */
const changeInterruptFlag: Emulation = (context) => doneIf(ioplOk(context))

const readModelSpecific: Emulation = (context) => {
  const { regs } = context
  const value = readGuestMsr(context, Number(readGuestGpr(regs, RCX, 4)))
  if (value === null) return REFUSED
  writeEdxEax(regs, value)
  return DONE
}

const writeModelSpecific: Emulation = (context) => {
  const { regs } = context
  return doneIf(writeGuestMsr(context, Number(readGuestGpr(regs, RCX, 4)), readEdxEax(regs)))
}

/** RDTSC: in user code as the guest's own CR4.TSD says. */
const readCounter: Emulation = (context) => {
  if (!inKernelMode(context) && (guestCr4(context) & BigInt(CR4_TSD)) !== 0n) return REFUSED
  writeEdxEax(context.regs, readTimeStamp(context.cpu))
  return DONE
}

const readCounterAndAux: Emulation = (context, insn) => {
  const outcome = readCounter(context, insn)
  if (outcome.kind === 'done') writeGuestGpr(context.regs, RCX, 4, readGuestMsr(context, IA32_TSC_AUX) ?? 0n)
  return outcome
}

const XCR0_X87 = 1n
const XCR0_BITS = 3n

/** XSETBV: exists for a guest that has set CR4.OSXSAVE, whatever the CPU has. */
const setExtendedControl: Emulation = (context) => {
  if ((guestCr4(context) & BigInt(CR4_OSXSAVE)) === 0n) return raises(VECTOR_UD)
  const { cpu, regs } = context
  const value = readEdxEax(regs)
  const valid = (value & ~XCR0_BITS) === 0n && (value & XCR0_X87) !== 0n
  if (!inKernelMode(context) || readGuestGpr(regs, RCX, 4) !== 0n || !valid) return REFUSED
  cpu.set64(XCR0, value)
  return DONE
}

const identify: Emulation = (context) => {
  emulateCpuid(context)
  return DONE
}

/** What pv_emulate_privileged_op knows. Anything else stays a #GP: INVD, HLT, LMSW, LGDT, SWAPGS … */
const EMULATIONS: Readonly<Record<string, Emulation>> = {
  in: emulateIn,
  out: emulateOut,
  ins: emulateIns,
  outs: emulateOuts,
  cli: changeInterruptFlag,
  sti: changeInterruptFlag,
  mov: inKernel(move),
  clts: inKernel(clearTaskSwitched),
  wbinvd: inKernel(() => DONE),
  wbnoinvd: inKernel(() => DONE),
  rdmsr: inKernel(readModelSpecific),
  wrmsr: inKernel(writeModelSpecific),
  rdtsc: readCounter,
  rdtscp: readCounterAndAux,
  xsetbv: setExtendedControl,
  cpuid: identify,
}

/** Bit 4 of a page fault's error code: an instruction fetch. */
const PF_FETCH = 16

/**
 * pv_emulate_privileged_op: a #GP(0) of the guest may be an instruction that Xen does for it (P3). True when it is dealt with:
 * done, with a #DB for a guest that single-steps, or turned into another exception; false when the #GP is the guest's.
 */
export function emulatePrivileged(context: PvContext): boolean {
  const found = fetchInstruction(context)
  if (found === null) return false
  withRealIf(context)
  if ('faultAt' in found) return conclude(context, raises(VECTOR_PF, PF_FETCH, found.faultAt), 0, true)
  const { decoded, length } = found
  if (!Object.hasOwn(EMULATIONS, decoded.mnemonic)) return false
  return conclude(context, EMULATIONS[decoded.mnemonic]!(context, decoded), length, decoded.codeSize === 64)
}
