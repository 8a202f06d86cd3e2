import {
  CPL,
  type Cpu,
  carried,
  gp,
  IMPLICIT,
  load64,
  PL0_SSP,
  pushAlignedShadowFrame,
  pushShadowFrame,
  READ,
  SSP,
  takeToken,
} from '@trapframe/core'

/**
 * Where the shadow stack of an inner-ring or IST delivery begins: IA32_PLn_SSP, or the entry of the interrupt SSP table
 * that goes with the gate's IST. Low half, high half in `cpu.hi`. @throws #PF for the table
 */
export function newShadowStack(cpu: Cpu, tableSlot: number, ring: number, ist: number): number {
  const { words } = cpu
  if (ist === 0) {
    const slot = PL0_SSP + 2 * ring
    cpu.hi = words[slot + 1]!
    return words[slot]!
  }
  const offset = ist << 3
  const tableLo = words[tableSlot]!
  const lo = (tableLo + offset) | 0
  return load64(cpu, lo, carried(tableLo, words[tableSlot + 1]!, lo, offset), READ | IMPLICIT)
}

/**
 * Takes the token of the new shadow stack and, unless the event enters from ring 3, pushes CS, linear RIP and the old SSP
 * below it (SDM 1 17.2.3; SDM 2A INT n). The new SSP: low half, high half in `cpu.hi`.
 *
 * @throws #GP(EXT) for a token that is not aligned, not its own address or busy; #PF
 */
export function enterShadowStack(cpu: Cpu, lo: number, hi: number, inward: boolean, user: number): number {
  if ((lo & 7) !== 0 || !takeToken(cpu, lo, hi, user)) throw gp(cpu.ext)
  cpu.hi = hi
  return inward && cpu.words[CPL] === 3 ? lo : pushShadowFrame(cpu, lo, hi, user)
}

/** A delivery at the same privilege and without IST: the same frame on the present shadow stack, aligned first. @throws #PF */
export function continueShadowStack(cpu: Cpu, user: number): number {
  return pushAlignedShadowFrame(cpu, cpu.words[SSP]!, cpu.words[SSP + 1]!, user)
}
