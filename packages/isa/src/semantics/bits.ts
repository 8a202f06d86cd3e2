import {
  CF,
  type Cpu,
  type Decoded,
  effectiveAddress,
  linearAddress,
  loadWidth,
  OPERAND_GPR,
  OPERAND_IMMEDIATE,
  PF,
  READ,
  readOperand,
  type Semantics,
  writeOperand,
  ZF,
} from '@trapframe/core'
import { loadDestination, readDestination, writeDestination } from './destination.js'
import { resultFlags, setFlags, setSomeFlags } from './flags.js'
import { bit } from './shift.js'

/** What BT, BTS, BTR and BTC make of the bit. */
type Change = 'keep' | 'set' | 'reset' | 'complement'

/**
 * BT and its kin: CF is the old bit. An offset in a register may reach beyond a memory operand, in both directions: it
 * selects another word of operand size (SDM 2A BT). ZF stays; the other flags are undefined and stay too.
 */
function bitTest(cpu: Cpu, insn: Decoded, change: Change): void {
  const target = insn.operands[0]!
  const offset = insn.operands[1]!
  const bytes = target.size
  const offsetLo = readOperand(cpu, insn, offset)
  const offsetHi = cpu.hi
  const n = offsetLo & (bytes * 8 - 1)
  let lo: number
  if (target.kind === OPERAND_GPR || offset.kind === OPERAND_IMMEDIATE) {
    lo = change === 'keep' ? readOperand(cpu, insn, target) : readDestination(cpu, insn, target)
  } else {
    const at = farWordAddress(cpu, insn, offsetLo, offsetHi, change !== 'keep')
    lo = change === 'keep' ? loadWidth(cpu, at, cpu.hi, bytes, READ | cpu.user) : loadDestination(cpu, target, at)
  }
  const hi = cpu.hi
  setSomeFlags(cpu, CF, bit(lo, hi, n) * CF)
  if (change === 'keep') return
  const maskLo = n < 32 ? 1 << n : 0
  const maskHi = n < 32 ? 0 : 1 << (n - 32)
  if (change === 'set') writeDestination(cpu, target, lo | maskLo, hi | maskHi)
  else if (change === 'reset') writeDestination(cpu, target, lo & ~maskLo, hi & ~maskHi)
  else writeDestination(cpu, target, lo ^ maskLo, hi ^ maskHi)
}

/** Linear address of the word that holds the bit: the operand's address plus the signed offset in whole words. */
function farWordAddress(cpu: Cpu, insn: Decoded, offsetLo: number, offsetHi: number, write: boolean): number {
  const target = insn.operands[0]!
  const bytes = target.size
  const signed =
    bytes === 8
      ? (BigInt(offsetHi) << 32n) | BigInt(offsetLo >>> 0)
      : BigInt(bytes === 4 ? offsetLo : (offsetLo << 16) >> 16)
  const bits = BigInt(bytes * 8)
  const displacement = (BigInt.asIntN(64, signed) - BigInt.asUintN(64, signed & (bits - 1n))) / 8n
  const base = effectiveAddress(cpu, insn, target)
  const address = (BigInt(cpu.hi >>> 0) << 32n) + BigInt(base >>> 0) + displacement
  const wrapped = BigInt.asUintN(insn.addressSize * 8, address)
  const lo = Number(BigInt.asIntN(32, wrapped))
  const hi = Number(BigInt.asIntN(32, wrapped >> 32n))
  return linearAddress(cpu, target.segment, lo, hi, bytes, write)
}

/**
 * BSF and BSR: for a source of 0, ZF is set and the destination stays (AMD documents it, Intel does it). Of the undefined
 * flags PF follows the index and the others are 0, as measured on Intel's CPUs.
 */
function bitScan(cpu: Cpu, insn: Decoded, reverse: boolean): void {
  const lo = readOperand(cpu, insn, insn.operands[1]!)
  const hi = cpu.hi
  if ((lo | hi) === 0) return setFlags(cpu, ZF | PF)
  const found = reverse
    ? hi !== 0
      ? 63 - Math.clz32(hi)
      : 31 - Math.clz32(lo)
    : lo !== 0
      ? 31 - Math.clz32(lo & -lo)
      : 63 - Math.clz32(hi & -hi)
  writeOperand(cpu, insn, insn.operands[0]!, found, 0)
  setFlags(cpu, resultFlags(4, found, 0) & PF)
}

/** Bit instructions (SDM 1 7.3.8). */
export const bits: Readonly<Record<string, Semantics>> = {
  bt: (cpu, insn) => bitTest(cpu, insn, 'keep'),
  bts: (cpu, insn) => bitTest(cpu, insn, 'set'),
  btr: (cpu, insn) => bitTest(cpu, insn, 'reset'),
  btc: (cpu, insn) => bitTest(cpu, insn, 'complement'),
  bsf: (cpu, insn) => bitScan(cpu, insn, false),
  bsr: (cpu, insn) => bitScan(cpu, insn, true),
}
