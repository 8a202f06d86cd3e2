import type { Cpu } from '../cpu/cpu.js'
import { ACCESS_DB } from '../state/control.js'
import { RSP, SS, SS_ACCESS } from '../state/registers.js'
import { WRITE } from './access.js'
import { load16, load32, load64, store16, store32, store64 } from './linear.js'
import { linearAddress } from './segmented.js'

/** Width of the stack pointer in bytes: 8 in 64-bit mode, else by SS.B. */
export function stackAddressSize(cpu: Cpu): number {
  return cpu.codeSize === 64 ? 8 : (cpu.words[SS_ACCESS]! & ACCESS_DB) !== 0 ? 4 : 2
}

/** Adds `delta` bytes to the stack pointer, in the width of the stack segment. */
export function adjustStackPointer(cpu: Cpu, delta: number): void {
  const { words } = cpu
  const lo = words[RSP]!
  const sum = (lo + delta) | 0
  switch (stackAddressSize(cpu)) {
    case 8:
      words[RSP] = sum
      if (delta >= 0) {
        if (sum >>> 0 < lo >>> 0) words[RSP + 1] = words[RSP + 1]! + 1
      } else if (sum >>> 0 > lo >>> 0) words[RSP + 1] = words[RSP + 1]! - 1
      break
    case 4:
      words[RSP] = sum
      words[RSP + 1] = 0
      break
    default:
      words[RSP] = (lo & ~0xffff) | (sum & 0xffff)
  }
}

/** Linear address of `bytes` bytes at RSP + `offset`; the high half goes to `cpu.hi`. @throws #SS(0), #AC */
export function stackAddress(cpu: Cpu, offset: number, bytes: number, write: boolean): number {
  const { words } = cpu
  const lo = words[RSP]!
  const sum = (lo + offset) | 0
  switch (stackAddressSize(cpu)) {
    case 8: {
      const wrap = offset >= 0 ? (sum >>> 0 < lo >>> 0 ? 1 : 0) : sum >>> 0 > lo >>> 0 ? -1 : 0
      return linearAddress(cpu, SS, sum, (words[RSP + 1]! + wrap) | 0, bytes, write)
    }
    case 4:
      return linearAddress(cpu, SS, sum, 0, bytes, write)
    default:
      return linearAddress(cpu, SS, sum & 0xffff, 0, bytes, write)
  }
}

/** PUSH of 2, 4 or 8 bytes with the current privilege; RSP moves after the store succeeded. @throws #SS(0), #PF, #AC */
export function push(cpu: Cpu, bytes: number, lo: number, hi: number): void {
  const address = stackAddress(cpu, -bytes, bytes, true)
  if (bytes === 8) store64(cpu, address, cpu.hi, lo, hi, WRITE | cpu.user)
  else if (bytes === 4) store32(cpu, address, cpu.hi, lo, WRITE | cpu.user)
  else store16(cpu, address, cpu.hi, lo, WRITE | cpu.user)
  adjustStackPointer(cpu, -bytes)
}

/** What lies at RSP + `offset`, zero-extended to 64 bits: low half, high half in `cpu.hi`; RSP stays. @throws #SS(0), #PF, #AC */
export function peek(cpu: Cpu, offset: number, bytes: number): number {
  const address = stackAddress(cpu, offset, bytes, false)
  if (bytes === 8) return load64(cpu, address, cpu.hi, cpu.user)
  const value = bytes === 4 ? load32(cpu, address, cpu.hi, cpu.user) : load16(cpu, address, cpu.hi, cpu.user)
  cpu.hi = 0
  return value
}

/** Stores 2, 4 or 8 bytes at RSP + `offset` with the current privilege; RSP stays. @throws #SS(0), #PF, #AC */
export function poke(cpu: Cpu, offset: number, bytes: number, lo: number, hi: number): void {
  const address = stackAddress(cpu, offset, bytes, true)
  if (bytes === 8) store64(cpu, address, cpu.hi, lo, hi, WRITE | cpu.user)
  else if (bytes === 4) store32(cpu, address, cpu.hi, lo, WRITE | cpu.user)
  else store16(cpu, address, cpu.hi, lo, WRITE | cpu.user)
}
