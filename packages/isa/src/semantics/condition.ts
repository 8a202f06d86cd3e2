import { CF, OF, PF, SF, ZF } from '@trapframe/core'

/** Stands for SF ≠ OF among the flags that {@link conditionBits} gives. */
const LESS = 1 << 31

/** RFLAGS with bit 31 set where SF ≠ OF, so that every condition is a test of a mask. */
export function conditionBits(rflags: number): number {
  return rflags | (((rflags << 24) ^ (rflags << 20)) & LESS)
}

/** A condition holds when one of `mask`'s bits is set, or when none is (`negated`). */
interface Condition {
  readonly mask: number
  readonly negated: boolean
}

/** The conditions by iced's suffixes (SDM 1 appendix B). */
export const CONDITIONS: Readonly<Record<string, Condition>> = {
  o: { mask: OF, negated: false },
  no: { mask: OF, negated: true },
  b: { mask: CF, negated: false },
  ae: { mask: CF, negated: true },
  e: { mask: ZF, negated: false },
  ne: { mask: ZF, negated: true },
  be: { mask: CF | ZF, negated: false },
  a: { mask: CF | ZF, negated: true },
  s: { mask: SF, negated: false },
  ns: { mask: SF, negated: true },
  p: { mask: PF, negated: false },
  np: { mask: PF, negated: true },
  l: { mask: LESS, negated: false },
  ge: { mask: LESS, negated: true },
  le: { mask: LESS | ZF, negated: false },
  g: { mask: LESS | ZF, negated: true },
}
