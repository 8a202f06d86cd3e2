import { ACCESS_UNUSABLE, type AddressSpace, type Cpu, GDTR, IDTR, LDTR, TABLE_LIMIT, TR } from '@trapframe/core'
import { encodeGate, encodeTss, GATE_BYTES, TSS_BYTES } from '@trapframe/idt'
import { entryLabel, IST_VECTORS, VECTOR_INT80, VECTOR_INT82, VECTORS } from '../entry/vectors.js'
import { gdtBase, idtPage, stackOf, tssPage } from '../layout/memory.js'
import {
  FLAT_DESCRIPTORS,
  GDT_LIMIT,
  HYPERVISOR_CS,
  TSS_BUSY,
  TSS_SELECTOR,
  tssDescriptor,
} from '../layout/selectors.js'
import { INTERRUPT_STACKS, istShadowEnd, istTop, rsp0Of, tokenOf } from '../layout/stack.js'

/** Not canonical, so that a stack pointer that must never be used cannot be (X6). */
export const POISON = 0x8600_1111_1111_1111n

/** The interrupt shadow-stack table follows the TSS in its page. */
export const ISST_OFFSET = TSS_BYTES
const TABLE_ENTRIES = 8

/** The GDT of a CPU, and GDTR. */
export function setUpGdt(cpu: Cpu): void {
  const base = gdtBase(cpu.id)
  for (const [selector, descriptor] of FLAT_DESCRIPTORS) {
    cpu.space.write64(base + BigInt(selector & ~7), descriptor)
  }
  cpu.set64(GDTR, base)
  cpu.words[GDTR + TABLE_LIMIT] = GDT_LIMIT
  cpu.setSegment(LDTR, { selector: 0, base: 0n, limit: 0, access: ACCESS_UNUSABLE })
}

/**
 * Loads TR with the CPU's TSS. FRED leaves no use for the limit: with 0 nothing in the TSS can be reached.
 *
 * @param limit in bytes
 */
function loadTaskRegister(cpu: Cpu, limit: number): void {
  const { linear } = tssPage(cpu.id)
  const descriptor = gdtBase(cpu.id) + BigInt(TSS_SELECTOR)
  const [low, high] = tssDescriptor(linear, limit)
  cpu.space.write64(descriptor, low)
  cpu.space.write64(descriptor + 8n, high)
  cpu.setSegment(TR, { selector: TSS_SELECTOR, base: linear, limit, access: TSS_BUSY })
}

/** The TSS for the IDT: RSP0, the interrupt stacks, poison everywhere else; and the table of their shadow stacks. */
export function setUpTss(cpu: Cpu): void {
  const stack = stackOf(cpu.id).linear
  const { linear } = tssPage(cpu.id)
  const ist = Array<bigint>(TABLE_ENTRIES - 1).fill(POISON)
  for (const { index } of INTERRUPT_STACKS) ist[index - 1] = istTop(stack, index)
  cpu.space.write(linear, encodeTss({ rsp: [rsp0Of(stack), POISON, POISON], ist }))
  writeShadowStackTable(cpu.space, linear + BigInt(ISST_OFFSET), stack)
  loadTaskRegister(cpu, TSS_BYTES - 1)
}

function writeShadowStackTable(space: AddressSpace, table: bigint, stack: bigint): void {
  for (let i = 0; i < TABLE_ENTRIES; i++) {
    const owner = INTERRUPT_STACKS.some(({ index }) => index === i)
    space.write64(table + BigInt(8 * i), owner ? tokenOf(istShadowEnd(stack, i)) : POISON)
  }
}

/** The TSS that FRED leaves: RSP0 and the I/O bitmap's offset (A7). */
export function setUpMinimalTss(cpu: Cpu): void {
  cpu.space.write(tssPage(cpu.id).linear, encodeTss({ rsp: [rsp0Of(stackOf(cpu.id).linear)] }))
  loadTaskRegister(cpu, 0)
}

/** All 256 gates are interrupt gates of Xen's code; software may use those of INT3, INTO and INT 80h, PV32 INT 82h. */
export function setUpIdt(cpu: Cpu, labels: ReadonlyMap<string, bigint>, ist: boolean, pv32: boolean): void {
  const { linear } = idtPage(cpu.id)
  for (let vector = 0; vector < VECTORS; vector++) {
    const gate = encodeGate({
      offset: labels.get(entryLabel(vector))!,
      selector: HYPERVISOR_CS,
      ist: istOf(vector, ist),
      dpl: dplOf(vector, pv32),
    })
    cpu.space.write(linear + BigInt(vector * GATE_BYTES), gate)
  }
  cpu.set64(IDTR, linear)
  cpu.words[IDTR + TABLE_LIMIT] = VECTORS * GATE_BYTES - 1
}

/** IST index of a vector's gate. Without `ist` only #DF keeps its stack: nothing can be handled where that one is used. */
function istOf(vector: number, ist: boolean): number {
  const own = INTERRUPT_STACKS.find((stack) => stack.vector === vector)
  if (own === undefined || !IST_VECTORS.includes(vector)) return 0
  return ist || own.name === '#DF' ? own.index : 0
}

const VECTOR_INT3 = 3
const VECTOR_INTO = 4

function dplOf(vector: number, pv32: boolean): number {
  if (vector === VECTOR_INT3 || vector === VECTOR_INTO || vector === VECTOR_INT80) return 3
  return vector === VECTOR_INT82 && pv32 ? 1 : 0
}

/** An IDT that holds no gate: under FRED it is not used (A7). */
export function invalidateIdt(cpu: Cpu): void {
  cpu.set64(IDTR, 0n)
  cpu.words[IDTR + TABLE_LIMIT] = 0
}
