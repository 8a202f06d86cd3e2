import { type Cpu, CR2, CR3, DS, ES, FS, GS, type Machine, type SegmentNumber, store32 } from '@trapframe/core'
import { deliveryOf, isGuest, type UserRegs } from '@trapframe/xen'
import { noteOf } from '../memory/layout.js'
import {
  HEADER_BYTES,
  NOTE_BYTES,
  NOTE_CONTROLS,
  NOTE_REGISTERS,
  type NoteControl,
  type NoteRegister,
  NT_PRSTATUS,
  noteOffset,
  PRSTATUS_AT,
  PRSTATUS_BYTES,
  PRSTATUS_NAME,
  PRSTATUS_PID,
  XEN_ELFNOTE_CRASH_REGS,
  XEN_NAME,
  XEN_NOTE_AT,
} from './layout.js'

/** What a crash note says. */
export interface CrashNote {
  readonly cpu: number
  readonly registers: Readonly<Record<NoteRegister | NoteControl, bigint>>
}

/**
 * Writes the notes of a CPU: registers as they were interrupted, and what no frame has as the CPU has it now. FRED's bits in
 * the words of CS and SS are not part of the selectors; and the GS base of a guest is the other one under FRED, where entry
 * from ring 3 has exchanged the two (P2).
 *
 * @throws #PF like any store
 */
export function writeCrashNote(cpu: Cpu, regs: UserRegs): void {
  const bytes = new Uint8Array(NOTE_BYTES)
  const view = new DataView(bytes.buffer)
  header(view, 0, PRSTATUS_NAME, PRSTATUS_BYTES, NT_PRSTATUS)
  header(view, XEN_NOTE_AT, XEN_NAME, 8 * NOTE_CONTROLS.length, XEN_ELFNOTE_CRASH_REGS)
  view.setUint32(PRSTATUS_AT + PRSTATUS_PID, cpu.id, true)
  for (const name of [...NOTE_REGISTERS, ...NOTE_CONTROLS]) {
    view.setBigUint64(noteOffset(name), registerOf(cpu, regs, name), true)
  }
  const address = noteOf(cpu.id)
  const hi = Number(BigInt.asIntN(32, address >> 32n))
  const lo = Number(BigInt.asIntN(32, address))
  for (let at = 0; at < NOTE_BYTES; at += 4) store32(cpu, lo + at, hi, view.getInt32(at, true))
}

function header(view: DataView, at: number, name: string, description: number, type: number): void {
  view.setUint32(at, name.length, true)
  view.setUint32(at + 4, description, true)
  view.setUint32(at + 8, type, true)
  for (let i = 0; i < name.length; i++) view.setUint8(at + HEADER_BYTES + i, name.charCodeAt(i))
}

const SELECTORS: Readonly<Record<'ds' | 'es' | 'fs' | 'gs', SegmentNumber>> = { ds: DS, es: ES, fs: FS, gs: GS }
const SELECTOR = 0xffffn
/** What Linux's notes have where no system call was interrupted. */
const NO_SYSTEM_CALL = 0xffff_ffff_ffff_ffffn

function registerOf(cpu: Cpu, regs: UserRegs, name: NoteRegister | NoteControl): bigint {
  switch (name) {
    case 'orig_rax':
      return NO_SYSTEM_CALL
    case 'cs':
    case 'ss':
      return regs.get(name) & SELECTOR
    case 'ds':
    case 'es':
    case 'fs':
    case 'gs':
      return BigInt(cpu.segment(SELECTORS[name]).selector)
    case 'fs_base':
      return cpu.fsBase
    case 'gs_base':
      return isGuest(regs) && deliveryOf(cpu) === 'fred' ? cpu.kernelGsBase : cpu.gsBase
    case 'cr0':
      return cpu.cr0
    case 'cr2':
      return cpu.get64(CR2)
    case 'cr3':
      return cpu.get64(CR3)
    case 'cr4':
      return cpu.cr4
    default:
      return regs.get(name)
  }
}

/** The note of a CPU as memory has it; null where there is none. @throws RangeError where Xen was not booted with kexec */
export function readCrashNote(machine: Machine, cpu: number): CrashNote | null {
  const bytes = machine.space(0n).read(noteOf(cpu), NOTE_BYTES)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(8, true) !== NT_PRSTATUS) return null
  const registers = Object.fromEntries(
    [...NOTE_REGISTERS, ...NOTE_CONTROLS].map((name) => [name, view.getBigUint64(noteOffset(name), true)]),
  )
  return {
    cpu: view.getUint32(PRSTATUS_AT + PRSTATUS_PID, true),
    registers: registers as CrashNote['registers'],
  }
}
