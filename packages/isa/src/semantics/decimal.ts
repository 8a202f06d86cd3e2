import { AF, CF, type Cpu, de, RAX, RFLAGS, type Semantics } from '@trapframe/core'
import { add, resultFlags, setFlags } from './flags.js'

/**
 * Decimal arithmetic on AL and AH, outside 64-bit mode only (SDM 1 7.3.4). The flags that the manual leaves undefined
 * follow AL, with OF = 0, as measured on Intel's CPUs; AAM clears CF and AF.
 */

const al = (cpu: Cpu): number => cpu.words[RAX]! & 0xff
const ah = (cpu: Cpu): number => (cpu.words[RAX]! >>> 8) & 0xff

function setAl(cpu: Cpu, value: number, flags: number): void {
  const byte = value & 0xff
  cpu.words[RAX] = (cpu.words[RAX]! & ~0xff) | byte
  setFlags(cpu, resultFlags(1, byte, 0) | flags)
}

function setAx(cpu: Cpu, high: number, low: number, flags: number): void {
  cpu.words[RAX] = (cpu.words[RAX]! & ~0xff00) | ((high & 0xff) << 8)
  setAl(cpu, low, flags)
}

const isSet = (cpu: Cpu, flag: number): boolean => (cpu.words[RFLAGS]! & flag) !== 0
/** The low digit needs a correction. */
const digitOverflows = (cpu: Cpu): boolean => (al(cpu) & 15) > 9 || isSet(cpu, AF)

/** DAA and DAS: `sign` is 1 or −1. */
function adjustPacked(sign: 1 | -1): Semantics {
  return (cpu) => {
    const before = al(cpu)
    const low = digitOverflows(cpu)
    const high = before > 0x99 || isSet(cpu, CF)
    const borrowed = sign === -1 && low && before < 6
    const value = before + sign * ((low ? 6 : 0) + (high ? 0x60 : 0))
    setAl(cpu, value, (low ? AF : 0) | (high || borrowed ? CF : 0))
  }
}

/** AAA and AAS: the correction carries into AH, through AX as a whole. */
function adjustUnpacked(sign: 1 | -1): Semantics {
  return (cpu) => {
    const corrected = digitOverflows(cpu)
    const ax = (cpu.words[RAX]! & 0xffff) + (corrected ? sign * 0x106 : 0)
    setAx(cpu, ax >> 8, ax & 15, corrected ? AF | CF : 0)
  }
}

/** AAM: AL in digits of the immediate's base. @throws #DE for base 0 */
const splitDigits: Semantics = (cpu, insn) => {
  const base = insn.operands[0]!.lo & 0xff
  if (base === 0) throw de()
  setAx(cpu, Math.trunc(al(cpu) / base), al(cpu) % base, 0)
}

/** AAD: the digits as one number; the flags are those of the addition of AL and AH × base in a byte. */
const joinDigits: Semantics = (cpu, insn) => {
  const sum = add(cpu, 1, al(cpu), 0, (ah(cpu) * (insn.operands[0]!.lo & 0xff)) & 0xff, 0, 0)
  cpu.words[RAX] = (cpu.words[RAX]! & ~0xffff) | (sum & 0xff)
}

/** AL becomes −1 with CF, 0 without; no flag changes. */
const setAlFromCarry: Semantics = (cpu) => {
  cpu.words[RAX] = (cpu.words[RAX]! & ~0xff) | (isSet(cpu, CF) ? 0xff : 0)
}

export const decimal: Readonly<Record<string, Semantics>> = {
  daa: adjustPacked(1),
  das: adjustPacked(-1),
  aaa: adjustUnpacked(1),
  aas: adjustUnpacked(-1),
  aam: splitDigits,
  aad: joinDigits,
  salc: setAlFromCarry,
}
