import {
  CET_WR_SHSTK_EN,
  CF,
  CP_RSTORSSP,
  CPL,
  type Cpu,
  CR4,
  CR4_CET,
  carried,
  cetSlot,
  cp,
  type Decoded,
  gp,
  load64,
  loadShadow32,
  loadShadow64,
  operandAddress,
  RFLAGS,
  readRegister,
  resetEndbranchTracker,
  type Semantics,
  SHADOW_STACK,
  SSP,
  storeShadow32,
  storeShadow64,
  USER,
  ud,
  WRITE,
  writeRegister,
} from '@trapframe/core'
import { setFlags } from './flags.js'
import { quad } from './quad.js'

/** Bits 1:0 of a shadow-stack token: 64-bit mode, and "previous SSP" instead of "restore". */
const TOKEN_64_BIT = 1
const TOKEN_PREVIOUS = 2
/** Set in a restore token whose SSP is 4-byte aligned only. */
const TOKEN_HOLE = 4

/** @throws #UD unless shadow stacks are on at the current privilege */
function requireShadowStack(cpu: Cpu): void {
  if (!cpu.shadowStack) throw ud()
}

const mode = (cpu: Cpu): number => (cpu.codeSize === 64 ? TOKEN_64_BIT : 0)

/** An address in halves plus a small signed number: low half, high half in `cpu.hi`. */
function offset(cpu: Cpu, lo: number, hi: number, delta: number): number {
  const sum = (lo + delta) | 0
  cpu.hi = carried(lo, hi, sum, delta)
  return sum
}

function setSsp(cpu: Cpu, lo: number, hi: number): void {
  cpu.words[SSP] = lo
  cpu.words[SSP + 1] = hi
}

/** RDSSPD and RDSSPQ do nothing where shadow stacks are off. */
const readShadowStackPointer: Semantics = (cpu, insn) => {
  if (cpu.shadowStack) writeRegister(cpu, insn.operands[0]!, cpu.words[SSP]!, cpu.words[SSP + 1]!)
}

/** INCSSPD and INCSSPQ: SSP goes up by up to 255 elements; the first and the last of them are read. @throws #UD, #PF */
const incrementShadowStackPointer: Semantics = (cpu, insn) => {
  requireShadowStack(cpu)
  const op = insn.operands[0]!
  const lo = cpu.words[SSP]!
  const hi = cpu.words[SSP + 1]!
  const elements = readRegister(cpu, op) & 0xff
  const touch = op.size === 8 ? loadShadow64 : loadShadow32
  touch(cpu, lo, hi, cpu.user)
  if (elements > 0) {
    const last = offset(cpu, lo, hi, (elements - 1) * op.size)
    touch(cpu, last, cpu.hi, cpu.user)
  }
  const end = offset(cpu, lo, hi, elements * op.size)
  setSsp(cpu, end, cpu.hi)
}

/** Stores a register on a shadow stack of privilege `user`. @throws #GP(0) for a misaligned address, #PF */
function storeShadow(cpu: Cpu, insn: Decoded, user: number): void {
  const target = insn.operands[0]!
  const source = insn.operands[1]!
  const bytes = source.size
  const at = operandAddress(cpu, insn, target, bytes, true, 1)
  const atHi = cpu.hi
  if ((at & (bytes - 1)) !== 0) throw gp(0)
  const lo = readRegister(cpu, source)
  if (bytes === 8) storeShadow64(cpu, at, atHi, lo, cpu.hi, user)
  else storeShadow32(cpu, at, atHi, lo, user)
}

/** WRSSD and WRSSQ: only where WR_SHSTK_EN allows them. @throws #UD, #GP(0), #PF */
const writeShadowStack: Semantics = (cpu, insn) => {
  requireShadowStack(cpu)
  if ((cpu.words[cetSlot(cpu)]! & CET_WR_SHSTK_EN) === 0) throw ud()
  storeShadow(cpu, insn, cpu.user)
}

/** WRUSSD and WRUSSQ: CPL 0 writes to a user shadow stack, as a user access. @throws #UD, #GP(0), #PF */
const writeUserShadowStack: Semantics = (cpu, insn) => {
  if ((cpu.words[CR4]! & CR4_CET) === 0) throw ud()
  if (cpu.words[CPL] !== 0) throw gp(0)
  storeShadow(cpu, insn, USER)
}

/**
 * RSTORSSP: verifies the restore token at an 8-byte aligned address, replaces it by a previous-SSP token and makes the
 * address SSP, as one locked read-modify-write. CF says that the token's SSP was 4-byte aligned, the other flags are 0.
 *
 * @throws #UD, #GP(0) for a misaligned address, #CP(4) for a token that does not fit, #PF
 */
const restoreShadowStackPointer: Semantics = (cpu, insn) => {
  requireShadowStack(cpu)
  const at = operandAddress(cpu, insn, insn.operands[0]!, 8, true, 1)
  const atHi = cpu.hi
  if ((at & 7) !== 0) throw gp(0)
  const lo = load64(cpu, at, atHi, SHADOW_STACK | WRITE | cpu.user)
  const hi = cpu.hi
  const token = quad(lo, hi)
  const here = BigInt.asUintN(64, ((token & ~1n) - 8n) & ~7n)
  const fits = (lo & 3) === mode(cpu) && (cpu.codeSize === 64 || hi === 0) && here === quad(at, atHi)
  if (!fits) throw cp(CP_RSTORSSP)
  const { words } = cpu
  storeShadow64(cpu, at, atHi, words[SSP]! | mode(cpu) | TOKEN_PREVIOUS, words[SSP + 1]!, cpu.user)
  setSsp(cpu, at, atHi)
  setFlags(cpu, (lo & TOKEN_HOLE) !== 0 ? CF : 0)
}

/**
 * SAVEPREVSSP: takes the previous-SSP token from the shadow stack and leaves a restore token on the one it names. CF,
 * as RSTORSSP left it, says that a hole of four zero bytes follows the token; there is none in 64-bit mode.
 *
 * @throws #UD, #GP(0), #PF
 */
const savePreviousShadowStackPointer: Semantics = (cpu) => {
  requireShadowStack(cpu)
  const { words } = cpu
  const user = cpu.user
  const sspLo = words[SSP]!
  const sspHi = words[SSP + 1]!
  if ((sspLo & 7) !== 0) throw gp(0)
  const lo = loadShadow64(cpu, sspLo, sspHi, user)
  const hi = cpu.hi
  const hole = (words[RFLAGS]! & CF) !== 0
  if (hole) {
    if (cpu.codeSize === 64) throw gp(0)
    const at = offset(cpu, sspLo, sspHi, 8)
    if (loadShadow32(cpu, at, cpu.hi, user) !== 0) throw gp(0)
  }
  if ((lo & TOKEN_PREVIOUS) === 0 || (cpu.codeSize !== 64 && hi !== 0)) throw gp(0)
  const old = lo & ~3
  const below = offset(cpu, old, hi, -4)
  storeShadow32(cpu, below, cpu.hi, 0, user)
  const place = offset(cpu, old & ~7, hi, -8)
  storeShadow64(cpu, place, cpu.hi, old | mode(cpu), hi, user)
  const end = offset(cpu, sspLo, sspHi, hole ? 12 : 8)
  setSsp(cpu, end, cpu.hi)
}

/** ENDBRANCH of the running mode ends the wait for it; the other one is a NOP. */
function endbranch(codeSize: 64 | 32): Semantics {
  return (cpu) => {
    if ((cpu.codeSize === 64) === (codeSize === 64)) resetEndbranchTracker(cpu)
  }
}

/** Shadow-stack management and ENDBRANCH (SDM 1 17). */
export const controlFlowEnforcement: Readonly<Record<string, Semantics>> = {
  endbr64: endbranch(64),
  endbr32: endbranch(32),
  rdsspd: readShadowStackPointer,
  rdsspq: readShadowStackPointer,
  incsspd: incrementShadowStackPointer,
  incsspq: incrementShadowStackPointer,
  wrssd: writeShadowStack,
  wrssq: writeShadowStack,
  wrussd: writeUserShadowStack,
  wrussq: writeUserShadowStack,
  rstorssp: restoreShadowStackPointer,
  saveprevssp: savePreviousShadowStackPointer,
}
