import { DR6_BS, IF, RF, TF } from '@trapframe/core'
import { injectException } from '../bounce/inject.js'
import type { PvContext } from '../context.js'
import { injectDebug } from '../debug/handle-debug.js'

/** What became of an instruction that Xen emulates. */
export type EmulationOutcome =
  /** It is done; `conditions` are breakpoints that it met, as B3–B0. */
  | { readonly kind: 'done'; readonly conditions?: bigint }
  /** A repeated instruction did a part: registers say what is left, and RIP stays. */
  | { readonly kind: 'again' }
  /** Xen does not do it for the guest: the fault that led here is the guest's. */
  | { readonly kind: 'refused' }
  /** It raises another exception. */
  | {
      readonly kind: 'exception'
      readonly vector: number
      readonly errorCode: number | null
      readonly address?: bigint
    }

export const DONE: EmulationOutcome = { kind: 'done' }
export const AGAIN: EmulationOutcome = { kind: 'again' }
export const REFUSED: EmulationOutcome = { kind: 'refused' }
export const raises = (vector: number, errorCode: number | null = null, address = 0n): EmulationOutcome => ({
  kind: 'exception',
  vector,
  errorCode,
  address,
})

const COMPAT_RIP = 0xffff_ffffn

/** Gives the guest what the emulation of an instruction came to; false where the fault stays the guest's. */
export function conclude(context: PvContext, outcome: EmulationOutcome, length: number, wide: boolean): boolean {
  switch (outcome.kind) {
    case 'done':
      retire(context, length, wide, outcome.conditions ?? 0n)
      return true
    case 'again':
      return true
    case 'refused':
      return false
    case 'exception':
      injectException(context, outcome.vector, outcome.errorCode, outcome.address ?? 0n)
      return true
  }
}

/** The end of an instruction: RIP moves on, RF is cleared, and a guest that single-steps gets its #DB. */
function retire(context: PvContext, length: number, wide: boolean, met: bigint): void {
  const { regs } = context
  const next = regs.get('rip') + BigInt(length)
  regs.set('rip', wide ? next : next & COMPAT_RIP)
  const rflags = regs.get('rflags')
  regs.set('rflags', rflags & ~BigInt(RF))
  const conditions = met | ((rflags & BigInt(TF)) === 0n ? 0n : BigInt(DR6_BS))
  if (conditions !== 0n) injectDebug(context, conditions)
}

/** The emulator puts the guest's own IF into RFLAGS while it works, and sets the real one when it is done. */
export function withRealIf({ regs }: PvContext): void {
  regs.set('rflags', regs.get('rflags') | BigInt(IF))
}
