import type { Place } from '@trapframe/core'
import type { Expression } from './expression.js'
import type { WrittenInstruction } from './instruction.js'
import type { Constant, Label } from './symbols.js'

/** A value of `db` and its like, or a string's bytes. */
export type DataItem = Expression | { readonly type: 'text'; readonly bytes: Uint8Array }

/** What can follow `times`. */
export type Repeatable =
  | { readonly type: 'instruction'; readonly written: WrittenInstruction; readonly place: Place }
  | { readonly type: 'data'; readonly unit: number; readonly items: readonly DataItem[]; readonly place: Place }
  | { readonly type: 'reserve'; readonly unit: number; readonly count: Expression; readonly place: Place }

/** One thing that a line says. */
export type Statement =
  | Repeatable
  | { readonly type: 'label'; readonly label: Label; readonly place: Place }
  | { readonly type: 'constant'; readonly constant: Constant; readonly place: Place }
  | {
      readonly type: 'align'
      readonly boundary: Expression
      /** `.p2align` gives the boundary's logarithm. */
      readonly logarithm: boolean
      /** The byte to fill with: NOP where code is aligned. */
      readonly fill: Expression | number
      readonly place: Place
    }
  | { readonly type: 'times'; readonly count: Expression; readonly body: Repeatable; readonly place: Place }
