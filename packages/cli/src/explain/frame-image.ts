import type { Cpu } from '@trapframe/core'
import type { Names } from './explanation.js'
import { canonical, hex, peek } from './words.js'

/** What a return is about to pop, from its lowest byte; null where it is not mapped or not canonical. */
export interface ReturnImage {
  readonly address: bigint
  readonly rip: bigint
  readonly cs: bigint
  readonly rflags: bigint
  readonly rsp: bigint
  readonly ss: bigint
}

/** The five quadwords RIP, CS, RFLAGS, RSP and SS from an address on. */
export function seeImage(cpu: Cpu, address: bigint): ReturnImage | null {
  const at = BigInt.asUintN(64, address)
  const view = canonical(cpu, at) ? peek(cpu, at, 40) : null
  if (view === null) return null
  const quad = (n: number): bigint => view.getBigUint64(8 * n, true)
  return { address: at, rip: quad(0), cs: quad(1), rflags: quad(2), rsp: quad(3), ss: quad(4) }
}

/** The image in words. */
export function imageWords(image: ReturnImage | null, rsp: bigint, names: Names): string {
  if (image === null) return `nothing can be read at RSP ${hex(rsp)}`
  const { address, rip, cs, rflags, rsp: popped, ss } = image
  return `from ${names.stack(address)}: RIP ${names.address(rip)}, CS ${hex(cs)}, RFLAGS ${hex(rflags)}, RSP ${hex(popped)}, SS ${hex(ss)}`
}
