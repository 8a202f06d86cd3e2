import { DR, DR7, PENDING_DEBUG, STATUS } from '../state/registers.js'
import { PENDING_TRAP } from '../state/status.js'
import type { Cpu } from './cpu.js'

/** DR7.R/Wn (SDM 3B 17.2.4). */
const ON_EXECUTION = 0
const ON_WRITE = 1
const ON_IO = 2

const enabled = (dr7: number, n: number): boolean => (dr7 & (3 << (2 * n))) !== 0
const condition = (dr7: number, n: number): number => (dr7 >>> (16 + 4 * n)) & 3
/** Bytes watched: LENn 0, 1, 2, 3 stand for 1, 2, 8, 4. */
const bytesWatched = (dr7: number, n: number): number => [1, 2, 8, 4][(dr7 >>> (18 + 4 * n)) & 3]!

/** Whether DR7 enables a breakpoint on execution. */
export function hasArmedInstructionBreakpoint(dr7: number): boolean {
  return [0, 1, 2, 3].some((n) => enabled(dr7, n) && condition(dr7, n) === ON_EXECUTION)
}

/** Whether DR7 enables a breakpoint on writes, or on reads and writes. */
export function hasArmedDataBreakpoint(dr7: number): boolean {
  return [0, 1, 2, 3].some((n) => enabled(dr7, n) && condition(dr7, n) !== ON_EXECUTION && condition(dr7, n) !== ON_IO)
}

/**
 * Conditions B3–B0 that an instruction at linear address `hi:lo` meets. A breakpoint reports when any enabled one
 * matches; the others that match, enabled or not, are reported with it (SDM 3B 17.2.3).
 */
export function instructionBreakpoints(cpu: Cpu, lo: number, hi: number): number {
  const dr7 = cpu.words[DR7]!
  let met = 0
  let armed = false
  for (let n = 0; n < 4; n++) {
    if (condition(dr7, n) !== ON_EXECUTION) continue
    if (cpu.words[DR + 2 * n] !== lo || cpu.words[DR + 2 * n + 1] !== hi) continue
    met |= 1 << n
    armed ||= enabled(dr7, n)
  }
  return armed ? met : 0
}

/** Pends the data breakpoints that an access of `bytes` bytes at `hi:lo` meets; the trap comes after the instruction. */
export function accessBreakpoints(cpu: Cpu, lo: number, hi: number, bytes: number, write: boolean): void {
  const dr7 = cpu.words[DR7]!
  const first = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)
  let met = 0
  let armed = false
  for (let n = 0; n < 4; n++) {
    const kind = condition(dr7, n)
    if (kind === ON_EXECUTION || kind === ON_IO || (kind === ON_WRITE && !write)) continue
    const width = BigInt(bytesWatched(dr7, n))
    const watched = cpu.quads[DR / 2 + n]! & ~(width - 1n)
    if (first + BigInt(bytes) <= watched || first >= watched + width) continue
    met |= 1 << n
    armed ||= enabled(dr7, n)
  }
  if (!armed) return
  cpu.words[PENDING_DEBUG] = cpu.words[PENDING_DEBUG]! | met
  cpu.words[STATUS] = cpu.words[STATUS]! | PENDING_TRAP
}
