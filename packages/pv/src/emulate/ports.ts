import {
  type Decoded,
  DF,
  DS,
  ES,
  FS,
  FS_BASE,
  GS,
  IOPL,
  OPERAND_IMMEDIATE,
  OPERAND_MEMORY,
  type Operand,
  type SegmentNumber,
  TF,
  VECTOR_PF,
} from '@trapframe/core'
import { inKernelMode, type PvContext } from '../context.js'
import { ioBreakpointsMet } from '../debug/debug-registers.js'
import { GuestFault, loadGuest, storeGuest } from '../guest-memory.js'
import { hasArchitecturalIopl } from '../state/vm-assist.js'
import { RAX, RCX, RDI, RDX, RSI, readGuestGpr, writeGuestGpr } from './guest-registers.js'
import { AGAIN, type EmulationOutcome, REFUSED, raises } from './outcome.js'

/** Port I/O of a guest, which in ring 3 is always a #GP: Xen does it for those that may. */

/**
 * iopl_ok: the mode that runs counts as CPL 3 for user code, and for the kernel as CPL 1, as in the days of rings, or with the
 * assist for architectural IOPL as CPL 0.
 */
export function ioplOk(context: PvContext): boolean {
  const kernel = hasArchitecturalIopl(context) ? 0 : 1
  const cpl = inKernelMode(context) ? kernel : 3
  return cpl << 12 <= Number(context.vcpu.get('iopl') & BigInt(IOPL))
}

/** guest_io_okay: by IOPL, or because each port has a clear bit in the guest's own map. A byte that is not there is all ones. */
function mayAccess(context: PvContext, port: number, bytes: number): boolean {
  if (ioplOk(context)) return true
  const { pv } = context
  if (BigInt(port + bytes) > pv.get('iobmp_limit')) return false
  const at = pv.get('iobmp') + BigInt(port >>> 3)
  const mask = mapByte(context, at) | (mapByte(context, at + 1n) << 8)
  return (mask & (((1 << bytes) - 1) << (port & 7))) === 0
}

function mapByte(context: PvContext, at: bigint): number {
  try {
    return Number(loadGuest(context, at, 1))
  } catch (thrown) {
    if (thrown instanceof GuestFault) return 0xff
    throw thrown
  }
}

/** Where no device answers: ones. */
const NOTHING_THERE = -1n
/**
 * The PC's spare DMA page register, which kernels write to for the time that it takes: a byte that reads as it was written.
 * Behind every other port is nothing: it reads as ones, and what is written is lost.
 */
const PORT_80 = 0x80

function readPort({ pv }: PvContext, port: number): bigint {
  return port === PORT_80 ? (NOTHING_THERE & ~0xffn) | pv.get('port80') : NOTHING_THERE
}

function writePort({ pv }: PvContext, port: number, value: bigint): void {
  if (port === PORT_80) pv.set('port80', value & 0xffn)
}

const portOf = ({ regs }: PvContext, op: Operand): number =>
  op.kind === OPERAND_IMMEDIATE ? op.lo & 0xff : Number(readGuestGpr(regs, RDX, 2))

const done = (conditions: bigint): EmulationOutcome => ({ kind: 'done', conditions })

/** IN. */
export function emulateIn(context: PvContext, { operands }: Decoded): EmulationOutcome {
  const bytes = operands[0]!.size
  const port = portOf(context, operands[1]!)
  if (!mayAccess(context, port, bytes)) return REFUSED
  writeGuestGpr(context.regs, RAX, bytes, readPort(context, port))
  return done(ioBreakpointsMet(context, port, bytes))
}

/** OUT. */
export function emulateOut(context: PvContext, { operands }: Decoded): EmulationOutcome {
  const bytes = operands[1]!.size
  const port = portOf(context, operands[0]!)
  if (!mayAccess(context, port, bytes)) return REFUSED
  writePort(context, port, readGuestGpr(context.regs, RAX, bytes))
  return done(ioBreakpointsMet(context, port, bytes))
}

/** INS: to ES:rDI. */
export const emulateIns = (context: PvContext, insn: Decoded): EmulationOutcome =>
  repeat(context, insn, RDI, (port, address, bytes) => storeGuest(context, address, bytes, readPort(context, port)))

/** OUTS: from DS:rSI, or another segment. */
export const emulateOuts = (context: PvContext, insn: Decoded): EmulationOutcome =>
  repeat(context, insn, RSI, (port, address, bytes) => writePort(context, port, loadGuest(context, address, bytes)))

/** How many iterations Xen makes before it looks whether something else is to be done. */
const AT_ONCE = 1024

/** Bits of a page fault's error code. */
const PF_WRITE = 2
const PF_USER = 4

/** A string instruction: its iterations, up to a fault, which leaves registers as they are before the one that faults. */
function repeat(
  context: PvContext,
  insn: Decoded,
  index: number,
  move: (port: number, address: bigint, bytes: number) => void,
): EmulationOutcome {
  const { regs } = context
  const write = index === RDI
  const bytes = insn.operandSize
  const repeated = insn.rep || insn.repne
  const left = repeated ? readGuestGpr(regs, RCX, insn.addressSize) : 1n
  if (left === 0n) return done(0n)
  const port = Number(readGuestGpr(regs, RDX, 2))
  if (!mayAccess(context, port, bytes)) return REFUSED
  const met = ioBreakpointsMet(context, port, bytes)
  const rflags = regs.get('rflags')
  const single = (rflags & BigInt(TF)) !== 0n || met !== 0n
  const atOnce = single || left < AT_ONCE ? (single ? 1n : left) : BigInt(AT_ONCE)
  const step = (rflags & BigInt(DF)) === 0n ? BigInt(bytes) : -BigInt(bytes)
  for (let n = 0n; n < atOnce; n++) {
    const offset = readGuestGpr(regs, index, insn.addressSize)
    try {
      move(port, segmentBase(context, insn, write ? ES : DS) + offset, bytes)
    } catch (thrown) {
      if (!(thrown instanceof GuestFault)) throw thrown
      return raises(VECTOR_PF, PF_USER | (write ? PF_WRITE : 0), thrown.address)
    }
    writeGuestGpr(regs, index, insn.addressSize, offset + step)
    if (repeated) writeGuestGpr(regs, RCX, insn.addressSize, left - n - 1n)
  }
  return atOnce === left ? done(met) : AGAIN
}

/** Base of the segment in use: of the memory operand, whose prefix counts for OUTS. */
function segmentBase({ cpu, gs }: PvContext, insn: Decoded, otherwise: SegmentNumber): bigint {
  const n = insn.operands.find(({ kind }) => kind === OPERAND_MEMORY)?.segment ?? otherwise
  if (n === FS) return cpu.get64(FS_BASE)
  if (n === GS) return gs.active(cpu)
  return insn.codeSize === 64 ? 0n : cpu.segment(n as SegmentNumber).base
}
