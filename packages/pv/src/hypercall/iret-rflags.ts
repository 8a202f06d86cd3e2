import { IF, IOPL, RFLAGS_FIXED, RFLAGS_MASK, VM } from '@trapframe/core'

/** Bits of RFLAGS that a guest has a say in: those that are defined, but for VM and IOPL; and those that are set anyway. */
const TAKEN = BigInt(RFLAGS_MASK & ~(IOPL | VM))
const FORCED = BigInt(IF | RFLAGS_FIXED)

/** RFLAGS that a guest goes on with when it asks for these: IF is set, VM and IOPL are not the guest's. */
export const iretRflags = (rflags: bigint): bigint => (rflags & TAKEN) | FORCED
