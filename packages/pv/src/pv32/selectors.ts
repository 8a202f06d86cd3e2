import { type Cpu, isNull } from '@trapframe/core'
import { gdtBase } from '@trapframe/xen'

/** Selectors of 32-bit PV guests in the public ABI, and Xen's page of the GDT that they are in (P5). */

export const FLAT_RING1_CS = 0xe019
export const FLAT_RING1_SS = 0xe021
export const FLAT_RING3_CS = 0xe02b
export const FLAT_RING3_SS = 0xe033
const HYPERVISOR_CS32 = 0xe038

const CODE32 = 0x00cf_9b00_0000_ffffn
const DATA = 0x00cf_9300_0000_ffffn
const ring = (n: bigint): bigint => n << 45n

/** Where Xen has 64-bit guests' selectors: these, all flat. Xen's own and the LDT's and TSS's are in the same places. */
const COMPAT_DESCRIPTORS: readonly (readonly [selector: number, descriptor: bigint])[] = [
  [FLAT_RING1_CS, CODE32 | ring(1n)],
  [FLAT_RING1_SS, DATA | ring(1n)],
  [FLAT_RING3_CS, CODE32 | ring(3n)],
  [FLAT_RING3_SS, DATA | ring(3n)],
  [HYPERVISOR_CS32, CODE32],
]

/** compat_gdt: the page of a CPU's GDT that Xen has for 32-bit guests takes the place of that for 64-bit ones. */
export function loadCompatGdt({ space, id }: Cpu): void {
  for (const [selector, descriptor] of COMPAT_DESCRIPTORS) {
    space.write64(gdtBase(id) + BigInt(selector & ~7), descriptor)
  }
}

const RPL = 3
const KERNEL_RING = 1

/** fixup_guest_code_selector and its like: a selector from a guest is for ring 1 at the best; a null one stays null. */
export const fixUpSelector = (selector: number): number =>
  (selector & RPL) >= KERNEL_RING || isNull(selector) ? selector : selector | KERNEL_RING
