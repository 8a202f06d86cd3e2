import { AC, AF, CF, DF, ID, IF, NT, OF, PF, RF, SF, TF, VIF, VIP, VM, ZF } from '@trapframe/core'
import { z } from 'zod'
import { expectationVerb, type Verdict } from '../slots.js'

/** Bits of RFLAGS by the manual's names, in small letters (SDM 1 3.4.3). */
const FLAGS = {
  cf: CF,
  pf: PF,
  af: AF,
  zf: ZF,
  sf: SF,
  tf: TF,
  if: IF,
  df: DF,
  of: OF,
  nt: NT,
  rf: RF,
  vm: VM,
  ac: AC,
  vif: VIF,
  vip: VIP,
  id: ID,
} as const

type Name = keyof typeof FLAGS
const NAMES = Object.keys(FLAGS) as Name[]

/** `flags: { if: false, ac: true }`: some bits of RFLAGS, whatever the others are. */
export const FLAG_VALUES = expectationVerb({
  summary: 'bits of RFLAGS at the end: name, and true or false; the others do not matter',
  schema: z.strictObject(
    Object.fromEntries(NAMES.map((name) => [name, z.boolean().optional()])) as Record<
      Name,
      z.ZodOptional<z.ZodBoolean>
    >,
  ),
  bind(wanted, { cpu }) {
    const list = NAMES.filter((name) => wanted[name] !== undefined)
    return {
      verdict(): Verdict {
        const seen = list.map((name) => ({ name, value: (Number(cpu.rflags) & FLAGS[name]) !== 0 }))
        const wrong = seen.filter(({ name, value }) => value !== wanted[name])
        const text = (flags: typeof seen): string => flags.map(({ name, value }) => `${name} ${value}`).join(', ')
        return {
          holds: wrong.length === 0,
          expected: text(list.map((name) => ({ name, value: wanted[name] === true }))),
          actual: text(wrong.length === 0 ? seen : wrong),
        }
      },
    }
  },
})
