import type { Cpu } from '../cpu/cpu.js'
import { gp, np, ss } from '../event/fault.js'
import { ACCESS_CODE, ACCESS_S, ACCESS_WRITABLE } from '../state/control.js'
import { CPL, SS } from '../state/registers.js'
import {
  accessOf,
  dplOf,
  indexOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  isWritableData,
  loadCache,
  loadNull,
  markAccessed,
  readDescriptor,
  rplOf,
} from './descriptor.js'

/**
 * Loads ES, SS, DS, FS or GS as MOV, POP, LSS, LFS, … do (SDM 3A 5.6, 5.7; SDM 2B MOV): all checks, the accessed bit in
 * the table, then the register. A null FS or GS has base 0. Blocking after MOV SS is the caller's.
 *
 * @param n number of the segment register, not CS
 * @throws #GP(0) for a null SS where it is not allowed, #GP(selector), #NP(selector), #SS(selector), #PF
 */
export function loadSegment(cpu: Cpu, n: number, selector: number): void {
  if (n === SS) {
    loadStackSegment(cpu, selector)
    return
  }
  if (isNull(selector)) {
    loadNull(cpu, n, selector)
    return
  }
  const descriptor = readDescriptor(cpu, selector)
  const access = accessOf(descriptor)
  const readable = (access & ACCESS_CODE) === 0 || (access & ACCESS_WRITABLE) !== 0
  if ((access & ACCESS_S) === 0 || !readable) throw gp(indexOf(selector))
  if (!isCode(access) || !isConforming(access)) {
    const dpl = dplOf(access)
    if (rplOf(selector) > dpl || cpu.words[CPL]! > dpl) throw gp(indexOf(selector))
  }
  if (!isPresent(access)) throw np(indexOf(selector))
  markAccessed(cpu, descriptor)
  loadCache(cpu, n, selector, descriptor)
}

/** SS takes a writable data segment of exactly CPL; in 64-bit mode at CPL 0–2 also a null selector with RPL = CPL. */
function loadStackSegment(cpu: Cpu, selector: number): void {
  const cpl = cpu.words[CPL]!
  if (isNull(selector)) {
    if (cpu.codeSize !== 64 || cpl === 3 || rplOf(selector) !== cpl) throw gp(0)
    loadNull(cpu, SS, selector)
    return
  }
  const descriptor = readDescriptor(cpu, selector)
  const access = accessOf(descriptor)
  if (rplOf(selector) !== cpl || !isWritableData(access) || dplOf(access) !== cpl) throw gp(indexOf(selector))
  if (!isPresent(access)) throw ss(indexOf(selector))
  markAccessed(cpu, descriptor)
  loadCache(cpu, SS, selector, descriptor)
}
