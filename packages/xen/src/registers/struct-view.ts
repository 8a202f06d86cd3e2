import {
  type Cpu,
  load8,
  load16,
  load32,
  load64,
  READ,
  store8,
  store16,
  store32,
  store64,
  WRITE,
} from '@trapframe/core'
import type { PlacedFields } from '../layout/user-regs.js'

/** A structure in simulated memory, read and written by Xen's C code with supervisor privilege. @throws #PF like any access */
export interface StructView<Name extends string = string> {
  /** Linear address of its first byte. */
  readonly address: bigint
  /** A field of 1, 2, 4 or 8 bytes, unsigned. */
  get(name: Name): bigint
  set(name: Name, value: bigint): void
}

/** The structure with these fields at an address. */
export function viewStruct<Name extends string>(cpu: Cpu, address: bigint, placed: PlacedFields): StructView<Name> {
  return {
    address,
    get: (name) => loadField(cpu, address + BigInt(placed.offsets.get(name)!), placed.sizes.get(name)!),
    set: (name, value) => storeField(cpu, address + BigInt(placed.offsets.get(name)!), placed.sizes.get(name)!, value),
  }
}

/** `bytes` bytes at a linear address, unsigned. @throws #PF */
export function loadField(cpu: Cpu, address: bigint, bytes: number): bigint {
  const [lo, hi] = halves(address)
  switch (bytes) {
    case 1:
      return BigInt(load8(cpu, lo, hi, READ))
    case 2:
      return BigInt(load16(cpu, lo, hi, READ))
    case 4:
      return BigInt(load32(cpu, lo, hi, READ) >>> 0)
    default: {
      const low = load64(cpu, lo, hi, READ)
      return (BigInt(cpu.hi >>> 0) << 32n) | BigInt(low >>> 0)
    }
  }
}

/** Stores the low `bytes` bytes of a value at a linear address. @throws #PF */
export function storeField(cpu: Cpu, address: bigint, bytes: number, value: bigint): void {
  const [lo, hi] = halves(address)
  const [valueLo, valueHi] = halves(value)
  switch (bytes) {
    case 1:
      return store8(cpu, lo, hi, valueLo, WRITE)
    case 2:
      return store16(cpu, lo, hi, valueLo, WRITE)
    case 4:
      return store32(cpu, lo, hi, valueLo, WRITE)
    default:
      return store64(cpu, lo, hi, valueLo, valueHi, WRITE)
  }
}

/** A 64-bit value in signed halves. */
export function halves(value: bigint): readonly [lo: number, hi: number] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))]
}
