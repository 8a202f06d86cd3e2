import { ACCESS_G, ACCESS_PRESENT } from '../state/control.js'

/** What an 8-byte code, data or LDT descriptor says. */
export interface DescriptorFields {
  /** 32 bits. */
  readonly base: bigint
  /** In bytes, 32 bits; with G its lowest 12 bits are ones, whatever is given. */
  readonly limit: number
  /** Access word: type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15. */
  readonly access: number
}

/** The quadword of a code or data descriptor (SDM 3A 3.4.5): the inverse of what `baseOf`, `limitOf`, `accessOf` read. */
export function encodeDescriptor({ base, limit, access }: DescriptorFields): bigint {
  const raw = BigInt((access & ACCESS_G) === 0 ? limit : limit >>> 12)
  return (
    (raw & 0xffffn) |
    ((base & 0xff_ffffn) << 16n) |
    (BigInt(access & 0xf0ff) << 40n) |
    (((raw >> 16n) & 0xfn) << 48n) |
    (((base >> 24n) & 0xffn) << 56n)
  )
}

/** What a 16-byte descriptor of a TSS or LDT says. */
export interface SystemDescriptorFields {
  /** 64 bits. */
  readonly base: bigint
  /** In bytes, below 1 MiB. */
  readonly limit: number
  /** `TYPE_TSS_AVAILABLE` and the like. */
  readonly type: number
}

/** The two quadwords, low one first, of a present system descriptor of DPL 0 in 64-bit mode (SDM 3A 3.5, 8.2.3). */
export function encodeSystemDescriptor({
  base,
  limit,
  type,
}: SystemDescriptorFields): readonly [low: bigint, high: bigint] {
  return [
    encodeDescriptor({ base, limit, access: ACCESS_PRESENT | type }),
    (BigInt.asUintN(64, base) >> 32n) & 0xffff_ffffn,
  ]
}
