import {
  accessOf,
  type Decoded,
  DR6_BS,
  dplOf,
  isPresent,
  OPERAND_FAR,
  OPERAND_MEMORY,
  type Operand,
  RF,
  systemTypeOf,
  TF,
  TYPE_CALL_GATE,
  VECTOR_GP,
  VECTOR_NP,
  VECTOR_PF,
  VECTOR_SS,
  VECTOR_TS,
} from '@trapframe/core'
import { injectException } from '../bounce/inject.js'
import type { PvContext } from '../context.js'
import { injectDebug } from '../debug/handle-debug.js'
import { guestInstruction } from '../emulate/guest-instruction.js'
import { readGuestGpr } from '../emulate/guest-registers.js'
import { GuestFault, loadGuest, storeGuest } from '../guest-memory.js'
import { descriptorOf } from '../segment/guest-descriptor.js'
import { LOW_32, SELECTOR } from './guest-stack.js'
import { type GuestSegment, guestSegment, stackHasRoom } from './segment-use.js'

/**
 * Call gates of 32-bit guests (P4). In long mode all gates are 64-bit ones, and Xen has given the guest's DPL 0, so that using
 * one is #GP with its selector. For these guests, and no others, Xen then does what the gate says: the DPL that it was
 * meant to have is in the RPL of its target.
 */

const RPL = 3
const KERNEL_RING = 1
const PARAMETERS = 0x1f
const SLOT = 4n
const PF_WRITE = 2

interface Gate {
  readonly dpl: number
  readonly present: boolean
  readonly parameters: number
  /** Without RPL. */
  readonly selector: number
  readonly offset: bigint
}

/** A fault that the guest gets instead of the transfer. */
class Refused {
  readonly vector: number
  readonly errorCode: number
  readonly address: bigint
  constructor(vector: number, errorCode: number, address = 0n) {
    this.vector = vector
    this.errorCode = errorCode
    this.address = address
  }
}

/** Where the guest goes on. */
interface Transfer {
  readonly cs: number
  readonly eip: bigint
  /** Left out for a jump, which changes no stack. */
  readonly stack?: { readonly ss: number; readonly esp: bigint }
}

/**
 * pv_emulate_gate_op, for a #GP with an error code that is no gate of the IDT. Always deals with it: what is no use of a call
 * gate is the same #GP to the guest.
 */
export function emulateGateUse(context: PvContext, errorCode: number): boolean {
  const { regs } = context
  try {
    const { cs, eip, stack } = useGate(context, errorCode)
    if (stack !== undefined) {
      regs.set('ss', BigInt(stack.ss))
      regs.set('rsp', stack.esp)
    }
    regs.set('cs', BigInt(cs))
    regs.set('rip', eip)
    const rflags = regs.get('rflags')
    regs.set('rflags', rflags & ~BigInt(RF))
    if ((rflags & BigInt(TF)) !== 0n) injectDebug(context, BigInt(DR6_BS))
  } catch (thrown) {
    if (!(thrown instanceof Refused)) throw thrown
    injectException(context, thrown.vector, thrown.errorCode, thrown.address)
  }
  return true
}

function useGate(context: PvContext, errorCode: number): Transfer {
  const { regs } = context
  const ring = Number(regs.get('cs')) & RPL
  const gate = gateOf(context, errorCode)
  if (gate === null || gate.dpl < ring) throw new Refused(VECTOR_GP, errorCode)
  if (!gate.present) throw new Refused(VECTOR_NP, errorCode)
  const instruction = guestInstruction(context)
  const used = instruction === null ? null : farSelector(context, instruction.decoded)
  if (instruction === null || used === null || (used & ~RPL) !== (errorCode & ~RPL) || gate.dpl < (used & RPL)) {
    throw new Refused(VECTOR_GP, errorCode)
  }
  const jump = instruction.decoded.mnemonic === 'jmpf'
  const target = guestSegment(context, gate.selector)
  if (target === null || !target.code || !mayEnter(target, ring, jump)) throw new Refused(VECTOR_GP, gate.selector)
  if (!target.present) throw new Refused(VECTOR_NP, gate.selector)
  if (gate.offset > target.limit) throw new Refused(VECTOR_GP, 0)
  if (jump) return { cs: gate.selector | ring, eip: gate.offset }
  const back = [regs.get('cs') & SELECTOR, regs.get('rip') + BigInt(instruction.length)]
  if (target.conforming || target.dpl >= ring) {
    const stack = pushOnCurrent(context, ring, back)
    return { cs: gate.selector | ring, eip: gate.offset, stack }
  }
  if (target.dpl !== KERNEL_RING) throw new Refused(VECTOR_GP, errorCode)
  const stack = pushOnInner(context, gate.parameters, ring, back)
  return { cs: gate.selector | target.dpl, eip: gate.offset, stack }
}

/** A call goes to the same ring or an inner one; a jump, unless the segment is conforming, to the same. */
const mayEnter = ({ dpl, conforming }: GuestSegment, ring: number, jump: boolean): boolean =>
  !jump || conforming ? dpl <= ring : dpl === ring

/** The gate that an error code names; null for anything else. A gate that Xen did not see has a DPL of its own. */
function gateOf(context: PvContext, errorCode: number): Gate | null {
  const descriptor = descriptorOf(context, errorCode)
  if (descriptor === null) return null
  const { lo, hi } = descriptor
  const access = accessOf(descriptor)
  if (systemTypeOf(access) !== TYPE_CALL_GATE || dplOf(access) !== 0) return null
  return {
    dpl: (lo >>> 16) & RPL,
    present: isPresent(access),
    parameters: hi & PARAMETERS,
    selector: (lo >>> 16) & ~RPL,
    offset: BigInt(((hi & 0xffff_0000) | (lo & 0xffff)) >>> 0),
  }
}

/** The selector of a far CALL or JMP; null for any other instruction. */
function farSelector(context: PvContext, insn: Decoded): number | null {
  if (insn.mnemonic !== 'callf' && insn.mnemonic !== 'jmpf') return null
  const operand = insn.operands[0]!
  if (operand.kind === OPERAND_FAR) return operand.selector
  if (operand.kind !== OPERAND_MEMORY) return null
  const address = linearOf(context, operand, insn.addressSize) + BigInt(insn.operandSize)
  return Number(accessing(0, () => loadGuest(context, address & LOW_32, 2)))
}

/** Linear address of a memory operand of 32-bit code. */
function linearOf({ cpu, regs }: PvContext, operand: Operand, addressSize: number): bigint {
  const register = (n: number): bigint => (n < 0 ? 0n : readGuestGpr(regs, n, 4))
  const offset = register(operand.base) + register(operand.index) * BigInt(operand.scale) + BigInt(operand.lo)
  return cpu.segment(operand.segment as 0).base + BigInt.asUintN(8 * addressSize, offset)
}

interface Stack {
  readonly ss: number
  readonly esp: bigint
}

/** CS and EIP on the stack that is there. */
function pushOnCurrent(context: PvContext, ring: number, back: readonly bigint[]): Stack {
  const { regs } = context
  const ss = Number(regs.get('ss') & SELECTOR)
  const segment = guestSegment(context, ss)
  if (segment === null || segment.dpl !== ring) throw new Refused(VECTOR_GP, 0)
  const esp = regs.get('rsp') & LOW_32
  if (!stackHasRoom(segment, esp, SLOT * BigInt(back.length))) throw new Refused(VECTOR_SS, 0)
  return { ss, esp: push(context, segment, esp, back) }
}

/** SS, ESP, the parameters, CS and EIP on the kernel's registered stack, the only inner one that there is. */
function pushOnInner(context: PvContext, parameters: number, ring: number, back: readonly bigint[]): Stack {
  const { regs, vcpu } = context
  const ss = Number(vcpu.get('kernel_ss'))
  const esp = vcpu.get('kernel_sp') & LOW_32
  const segment = guestSegment(context, ss)
  if ((ss & RPL) !== KERNEL_RING || segment === null || segment.dpl !== KERNEL_RING || !segment.writable) {
    throw new Refused(VECTOR_TS, ss & ~RPL)
  }
  const slots = BigInt(4 + parameters)
  if (!segment.present || !stackHasRoom(segment, esp, SLOT * slots)) throw new Refused(VECTOR_SS, ss & ~RPL)
  const outer = [regs.get('ss') & SELECTOR, regs.get('rsp')]
  const given = parameters === 0 ? [] : readParameters(context, parameters, ring)
  return { ss, esp: push(context, segment, esp, [...outer, ...given, ...back]) }
}

/** The parameters on the caller's stack, the last one, which is highest, first. */
function readParameters(context: PvContext, count: number, ring: number): bigint[] {
  const { regs } = context
  const segment = guestSegment(context, Number(regs.get('ss') & SELECTOR))
  const esp = regs.get('rsp') & LOW_32
  const bytes = SLOT * BigInt(count)
  if (segment === null || segment.dpl !== ring || !stackHasRoom(segment, esp + bytes, bytes)) {
    throw new Refused(VECTOR_GP, 0)
  }
  return Array.from({ length: count }, (_, i) => {
    const address = (segment.base + esp + SLOT * BigInt(count - 1 - i)) & LOW_32
    return accessing(0, () => loadGuest(context, address, 4))
  })
}

function push(context: PvContext, { base }: GuestSegment, esp: bigint, values: readonly bigint[]): bigint {
  let at = esp
  for (const value of values) {
    at -= SLOT
    accessing(PF_WRITE, () => storeGuest(context, (base + at) & LOW_32, 4, value & LOW_32))
  }
  return at
}

/** An access to the guest's memory, whose fault is the guest's #PF with this error code. */
function accessing<T>(errorCode: number, access: () => T): T {
  try {
    return access()
  } catch (thrown) {
    if (!(thrown instanceof GuestFault)) throw thrown
    throw new Refused(VECTOR_PF, errorCode, thrown.address)
  }
}
