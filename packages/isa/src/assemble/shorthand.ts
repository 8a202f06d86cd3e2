import { Register } from '../decode/iced.js'
import type { ReadyOperand, WrittenInstruction } from './instruction.js'
import { registerFile } from './registers.js'

const LOOPS: ReadonlySet<string> = new Set(['loop', 'loope', 'loopz', 'loopne', 'loopnz'])
const WITH_XMM0: ReadonlySet<string> = new Set(['pblendvb', 'blendvps', 'blendvpd', 'sha256rnds2'])

/** Operands as the encoding has them where people write fewer or more: `imul eax, 5`, `aam`, `loop top, ecx`. */
export function asEncoded(operands: readonly ReadyOperand[], written: WrittenInstruction): readonly ReadyOperand[] {
  const { name } = written
  if (name === 'imul' && operands.length === 2 && operands[1]!.type === 'value') return [operands[0]!, ...operands]
  if ((name === 'aam' || name === 'aad') && operands.length === 0) return [ten(written)]
  const last = operands.at(-1)
  const dropped =
    last?.type === 'register' &&
    ((operands.length === 3 && WITH_XMM0.has(name) && last.register === Register.XMM0) ||
      (operands.length === 2 && LOOPS.has(name)))
  return dropped ? operands.slice(0, -1) : operands
}

function ten({ place }: WrittenInstruction): ReadyOperand {
  const value = { type: 'number', value: 10n, place } as const
  return { type: 'value', value, size: undefined, distance: undefined, strict: false, place }
}

/** Address size in bits that `loop top, ecx` asks for by its count register; undefined where none is named. */
export function countSize({ name, operands }: WrittenInstruction): number | undefined {
  const count = operands[1]
  if (!LOOPS.has(name) || count?.type !== 'register') return undefined
  const file = registerFile(count.register)
  return file === 'r16' ? 16 : file === 'r32' ? 32 : 64
}
