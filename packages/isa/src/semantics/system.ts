import {
  AC,
  CPL,
  type Cpu,
  CR4,
  CR4_OSXSAVE,
  CR4_PCIDE,
  carried,
  gp,
  HALTED,
  isCanonical,
  load64,
  operandAddress,
  probe,
  RAX,
  RCX,
  RDX,
  READ,
  readRegister,
  type Semantics,
  STATUS,
  ud,
  XCR0,
} from '@trapframe/core'
import { setSomeFlags } from './flags.js'
import { requireCpl0 } from './privilege.js'

/** x87 and SSE: the state components that the model has; x87 cannot be turned off. */
const XCR0_X87 = 1
const XCR0_BITS = 3

const INVPCID_ADDRESS = 0
const INVPCID_CONTEXT = 1
const INVPCID_HIGHEST = 3
const PCID_BITS = 0xfff

const nothing: Semantics = () => {}

/** Caches and TLBs are not modelled: their instructions check privilege and do nothing. */
const privilegedNothing: Semantics = requireCpl0

const halt: Semantics = (cpu) => {
  requireCpl0(cpu)
  cpu.words[STATUS] = cpu.words[STATUS]! | HALTED
}

/** CLAC and STAC: #UD without SMAP and above CPL 0. */
function changeAlignmentCheck(value: number): Semantics {
  return (cpu) => {
    if (!cpu.has('smap') || cpu.words[CPL] !== 0) throw ud()
    setSomeFlags(cpu, AC, value)
  }
}

/** INVPCID: the checks of its type and descriptor (SDM 2A INVPCID). */
const invalidatePcid: Semantics = (cpu, insn) => {
  if (!cpu.has('pcid')) throw ud()
  requireCpl0(cpu)
  const type = readRegister(cpu, insn.operands[0]!)
  if (cpu.hi !== 0 || type >>> 0 > INVPCID_HIGHEST) throw gp(0)
  const at = operandAddress(cpu, insn, insn.operands[1]!, 16, false, 1)
  const atHi = cpu.hi
  const pcid = load64(cpu, at, atHi, READ | cpu.user)
  const reserved = (pcid & ~PCID_BITS) | cpu.hi
  const upper = (at + 8) | 0
  load64(cpu, upper, carried(at, atHi, upper, 8), READ | cpu.user)
  if (reserved !== 0) throw gp(0)
  const single = type === INVPCID_ADDRESS || type === INVPCID_CONTEXT
  if (single && pcid !== 0 && (cpu.words[CR4]! & CR4_PCIDE) === 0) throw gp(0)
  if (type === INVPCID_ADDRESS && !isCanonical(cpu, cpu.hi)) throw gp(0)
}

/** @throws #UD without CR4.OSXSAVE */
function requireXsave(cpu: Cpu): void {
  if ((cpu.words[CR4]! & CR4_OSXSAVE) === 0) throw ud()
}

const getExtendedControl: Semantics = (cpu) => {
  requireXsave(cpu)
  const { words } = cpu
  if (words[RCX] !== 0) throw gp(0)
  words[RAX] = words[XCR0]!
  words[RAX + 1] = 0
  words[RDX] = words[XCR0 + 1]!
  words[RDX + 1] = 0
}

const setExtendedControl: Semantics = (cpu) => {
  requireXsave(cpu)
  requireCpl0(cpu)
  const { words } = cpu
  const value = words[RAX]!
  if (words[RCX] !== 0 || words[RDX] !== 0 || (value & ~XCR0_BITS) !== 0 || (value & XCR0_X87) === 0) throw gp(0)
  words[XCR0] = value
  words[XCR0 + 1] = 0
}

/** CLFLUSH is checked as a load of one byte. */
const flushLine: Semantics = (cpu, insn) => {
  const at = operandAddress(cpu, insn, insn.operands[0]!, 1, false)
  probe(cpu, at, cpu.hi, 1, READ | cpu.user)
}

/** System instructions, and hints that do nothing (SDM 3A 2.8; SDM 1 7.3.16). */
export const system: Readonly<Record<string, Semantics>> = {
  nop: nothing,
  pause: nothing,
  lfence: nothing,
  mfence: nothing,
  sfence: nothing,
  prefetchnta: nothing,
  prefetcht0: nothing,
  prefetcht1: nothing,
  prefetcht2: nothing,
  prefetchw: nothing,
  clflush: flushLine,
  hlt: halt,
  invd: privilegedNothing,
  wbinvd: privilegedNothing,
  wbnoinvd: privilegedNothing,
  invlpg: privilegedNothing,
  invpcid: invalidatePcid,
  clac: changeAlignmentCheck(0),
  stac: changeAlignmentCheck(AC),
  xgetbv: getExtendedControl,
  xsetbv: setExtendedControl,
}
