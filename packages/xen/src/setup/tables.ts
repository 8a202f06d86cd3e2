import { type AddressSpace, type Cpu, TYPE_TSS_AVAILABLE } from '@trapframe/core'
import { encodeGate, encodeTss, GATE_BYTES, TSS_BYTES } from '@trapframe/idt'
import { entryLabel, IST_VECTORS, VECTOR_INT80, VECTOR_INT82, VECTORS } from '../entry/vectors.js'
import type { CpuInfoLayout } from '../layout/cpu-info.js'
import { gdtBase, idtPage, stackOf, tssPage } from '../layout/memory.js'
import { FLAT_DESCRIPTORS, HYPERVISOR_CS, TSS_SELECTOR, tssDescriptor } from '../layout/selectors.js'
import { INTERRUPT_STACKS, istShadowEnd, istTop, rsp0Of, tokenOf } from '../layout/stack.js'

/** The tables in memory, as Xen's C code writes them. The registers that point to them are loaded by instructions. */

/** Not canonical, so that a stack pointer that must never be used cannot be (X6). */
export const POISON = 0x8600_1111_1111_1111n

/** The interrupt shadow-stack table follows the TSS in its page. */
export const ISST_OFFSET = TSS_BYTES
export const ISST_ENTRIES = 8

export const IDT_LIMIT = VECTORS * GATE_BYTES - 1

/** The descriptors of a CPU's GDT but for its TSS's. */
export function writeGdt(space: AddressSpace, cpu: number): void {
  const base = gdtBase(cpu)
  for (const [selector, descriptor] of FLAT_DESCRIPTORS) space.write64(base + BigInt(selector & ~7), descriptor)
}

/** Describes a CPU's TSS in its GDT. FRED leaves no use for the limit: with 0 nothing in the TSS can be reached. */
function writeTssDescriptor(space: AddressSpace, cpu: number, limit: number): void {
  const descriptor = gdtBase(cpu) + BigInt(TSS_SELECTOR)
  const [low, high] = tssDescriptor(tssPage(cpu).linear, limit, TYPE_TSS_AVAILABLE)
  space.write64(descriptor, low)
  space.write64(descriptor + 8n, high)
}

/** The TSS for the IDT: RSP0, the interrupt stacks, poison everywhere else; and the table of their shadow stacks. */
export function writeTss({ space, id }: Cpu, info: CpuInfoLayout): void {
  const stack = stackOf(id).linear
  const { linear } = tssPage(id)
  const ist = Array<bigint>(ISST_ENTRIES - 1).fill(POISON)
  for (const { index } of INTERRUPT_STACKS) ist[index - 1] = istTop(stack, index)
  space.write(linear, encodeTss({ rsp: [rsp0Of(stack, info), POISON, POISON], ist }))
  for (let i = 0; i < ISST_ENTRIES; i++) {
    const owner = INTERRUPT_STACKS.some(({ index }) => index === i)
    const token = owner ? tokenOf(istShadowEnd(stack, i)) : POISON
    space.write64(linear + BigInt(ISST_OFFSET + 8 * i), token)
  }
  writeTssDescriptor(space, id, TSS_BYTES - 1)
}

/** The TSS that FRED leaves: RSP0 and the I/O bitmap's offset (A7). */
export function writeMinimalTss({ space, id }: Cpu, info: CpuInfoLayout): void {
  space.write(tssPage(id).linear, encodeTss({ rsp: [rsp0Of(stackOf(id).linear, info)] }))
  writeTssDescriptor(space, id, 0)
}

/** What the gates of an IDT have beyond their handlers. */
export interface GateOptions {
  /** The vectors with stacks of their own use them; #DF alone where `false`. Nobody does before there is a TSS: `none`. */
  readonly ist: boolean | 'none'
  /** 32-bit PV guests may run: INT 82h is theirs. */
  readonly pv32: boolean
}

/** All 256 gates are interrupt gates of Xen's code; software may use those of INT3, INTO and INT 80h, PV32 INT 82h. */
export function writeIdt(
  space: AddressSpace,
  table: bigint,
  labels: ReadonlyMap<string, bigint>,
  options: GateOptions,
): void {
  const bytes = new Uint8Array(VECTORS * GATE_BYTES)
  for (let vector = 0; vector < VECTORS; vector++) bytes.set(gateOf(vector, labels, options), vector * GATE_BYTES)
  space.write(table, bytes)
}

/** Writes some gates of a CPU's IDT again. */
export function rewriteGates(
  { space, id }: Cpu,
  vectors: readonly number[],
  labels: ReadonlyMap<string, bigint>,
  options: GateOptions,
): void {
  for (const vector of vectors) {
    space.write(idtPage(id).linear + BigInt(vector * GATE_BYTES), gateOf(vector, labels, options))
  }
}

const gateOf = (vector: number, labels: ReadonlyMap<string, bigint>, options: GateOptions): Uint8Array =>
  encodeGate({
    offset: labels.get(entryLabel(vector))!,
    selector: HYPERVISOR_CS,
    ist: istOf(vector, options.ist),
    dpl: dplOf(vector, options.pv32),
  })

/** IST index of a vector's gate. Without `ist` only #DF keeps its stack: nothing can be handled where that one is used. */
function istOf(vector: number, ist: GateOptions['ist']): number {
  const own = INTERRUPT_STACKS.find((stack) => stack.vector === vector)
  if (ist === 'none' || own === undefined || !IST_VECTORS.includes(vector)) return 0
  return ist || own.name === '#DF' ? own.index : 0
}

const VECTOR_INT3 = 3
const VECTOR_INTO = 4

function dplOf(vector: number, pv32: boolean): number {
  if (vector === VECTOR_INT3 || vector === VECTOR_INTO || vector === VECTOR_INT80) return 3
  return vector === VECTOR_INT82 && pv32 ? 1 : 0
}
