import { AF, ARITHMETIC_FLAGS, CF, OF, PF, SF, ZF } from '@trapframe/core'

const BY_MNEMONIC: ReadonlyMap<string, number> = new Map([
  ...['div', 'idiv'].map((name) => [name, ARITHMETIC_FLAGS] as const),
  ...['mul', 'imul'].map((name) => [name, SF | ZF | AF | PF] as const),
  ...['and', 'or', 'xor', 'test'].map((name) => [name, AF] as const),
  ...['shl', 'sal', 'shr', 'sar', 'shld', 'shrd'].map((name) => [name, AF | OF | CF] as const),
  ...['rol', 'ror', 'rcl', 'rcr'].map((name) => [name, OF] as const),
  ...['bt', 'bts', 'btr', 'btc'].map((name) => [name, OF | SF | AF | PF] as const),
  ...['bsf', 'bsr'].map((name) => [name, CF | OF | SF | AF | PF] as const),
])

/** The arithmetic flags that an instruction may leave undefined (SDM 1 appendix A): vectors do not compare them. */
export function undefinedFlags(mnemonic: string): number {
  return BY_MNEMONIC.get(mnemonic) ?? 0
}
