import { AC, type Cpu, Fault, RFLAGS } from '@trapframe/core'
import { loadField, storeField } from '@trapframe/xen'
import type { PvContext } from './context.js'

/**
 * copy_to_guest and copy_from_guest: Xen's accesses to a guest's memory at addresses that the guest chose. They are made
 * with AC set, so that SMAP lets them through, and never reach into Xen's own range; what faults is told, not raised.
 */

/** The address at which an access failed. */
export class GuestFault {
  readonly address: bigint
  constructor(address: bigint) {
    this.address = address
  }
}

/** 1, 2, 4 or 8 bytes of the guest's memory, unsigned. @throws GuestFault */
export const loadGuest = (context: PvContext, address: bigint, bytes: number): bigint =>
  atGuest(context, address, () => loadField(context.cpu, address, bytes))

/** Stores the low `bytes` bytes of a value. @throws GuestFault */
export const storeGuest = (context: PvContext, address: bigint, bytes: number, value: bigint): void =>
  atGuest(context, address, () => storeField(context.cpu, address, bytes, value))

/** The same for a part of a bounce frame: whether the stack may be written was asked before. @throws GuestFault */
export const storeFrame = (context: PvContext, address: bigint, bytes: number, value: bigint): void =>
  guarded(context, address, () => storeField(context.cpu, address, bytes, value))

function atGuest<T>(context: PvContext, address: bigint, access: () => T): T {
  if (!context.checks.outsideXen(address)) throw new GuestFault(address)
  return guarded(context, address, access)
}

function guarded<T>({ cpu, checks }: PvContext, address: bigint, access: () => T): T {
  if (!checks.canonical(cpu, address)) throw new GuestFault(address)
  try {
    return withAc(cpu, access)
  } catch (thrown) {
    if (thrown instanceof Fault) throw new GuestFault(address)
    throw thrown
  }
}

/** STAC, the access, CLAC. */
function withAc<T>(cpu: Cpu, access: () => T): T {
  const before = cpu.words[RFLAGS]!
  cpu.words[RFLAGS] = before | AC
  try {
    return access()
  } finally {
    cpu.words[RFLAGS] = before
  }
}
