import { loadField, storeField, TRAP_INFO_BYTES, VCPU_TRAP_TABLE } from '@trapframe/xen'
import type { PvContext } from '../context.js'

/** The guest's trap table: 256 entries of 16 bytes behind its struct vcpu, as `struct trap_info` has them. */

export interface TrapInfo {
  /** Bits 1:0 the least privileged ring that INT n may come from; bit 2: the handler runs with events masked. */
  readonly flags: number
  readonly cs: number
  /** 0: no handler. */
  readonly address: bigint
}

const VECTORS = 256
const FLAGS = 1n
const CS = 2n
const ADDRESS = 8n

const TI_DPL = 3
/** Bit of `flags`: the handler runs with events masked. */
export const TI_MASKS_EVENTS = 4

const entryAddress = ({ vcpu }: Pick<PvContext, 'vcpu'>, vector: number): bigint =>
  vcpu.address + BigInt(VCPU_TRAP_TABLE + TRAP_INFO_BYTES * vector)

/** The entry of a vector. */
export function trapInfo(context: PvContext, vector: number): TrapInfo {
  const at = entryAddress(context, vector)
  const { cpu } = context
  return {
    flags: Number(loadField(cpu, at + FLAGS, 1)),
    cs: Number(loadField(cpu, at + CS, 2)),
    address: loadField(cpu, at + ADDRESS, 8),
  }
}

/** Replaces the entry of a vector. */
export function setTrapInfo(context: PvContext, vector: number, { flags, cs, address }: TrapInfo): void {
  const at = entryAddress(context, vector)
  const { cpu } = context
  storeField(cpu, at, 1, BigInt(vector))
  storeField(cpu, at + FLAGS, 1, BigInt(flags))
  storeField(cpu, at + CS, 2, BigInt(cs))
  storeField(cpu, at + ADDRESS, 8, address)
}

/** Empties the table. */
export function clearTraps(context: PvContext): void {
  for (let vector = 0; vector < VECTORS; vector++) clearTrap(context, vector)
}

/** Takes the handler of a vector away. */
export const clearTrap = (context: PvContext, vector: number): void =>
  setTrapInfo(context, vector, { flags: 0, cs: 0, address: 0n })

/** The handler runs with events masked. */
export const masksEvents = ({ flags }: TrapInfo): boolean => (flags & TI_MASKS_EVENTS) !== 0

/** permit_softint: whether INT n of the mode that runs may use an entry: guest kernel counts as ring 1, guest user as 3. */
export const permitsInterrupt = ({ flags }: TrapInfo, kernelMode: boolean): boolean =>
  (flags & TI_DPL) >= (kernelMode ? 1 : 3)
