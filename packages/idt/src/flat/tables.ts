import {
  dataAccess,
  encodeDescriptor,
  encodeSystemDescriptor,
  type Machine,
  mapFlatSites,
  PAGE_EXECUTABLE,
  PAGE_SHADOW_STACK,
  PAGE_WRITABLE,
  TYPE_TSS_AVAILABLE,
  VECTOR_BP,
  VECTOR_DB,
  VECTOR_DF,
  VECTOR_MC,
  VECTOR_NMI,
  VECTOR_OF,
} from '@trapframe/core'
import { encodeGate, GATE_BYTES } from '../gate.js'
import { encodeTss, TSS_BYTES } from '../tss.js'
import {
  ENTRY_CODE,
  GDT,
  HANDLER_PAGES,
  HANDLERS,
  HOST_CS,
  handlerAddress,
  handlerCode,
  IDT_TABLE,
  PAGE,
  STACK_COUNT,
  SYSEXIT_SS,
  shadowTable,
  shadowToken,
  stackTop,
  TSS_PAGES,
  tssAddress,
  tssSelector,
} from './memory.js'

/** The system call vector of old. */
export const VECTOR_SYSTEM_CALL = 0x80

/** Which entry of the interrupt stack table a vector's gate names, with Xen's numbers; 0 for the rest. */
const IST: Readonly<Record<number, number>> = { [VECTOR_MC]: 1, [VECTOR_NMI]: 2, [VECTOR_DB]: 3, [VECTOR_DF]: 4 }

/** Vectors that ring 3 may ask for. */
const FROM_RING3: readonly number[] = [VECTOR_BP, VECTOR_OF, VECTOR_SYSTEM_CALL]

/** What can be chosen about the tables. */
export interface FlatOptions {
  /** #MC, NMI and #DB have stacks of their own; #DF always has. */
  readonly ist: boolean
  readonly shadowStacks: boolean
}

/** Maps and fills everything that CPUs share: GDT, IDT, handlers, sites. */
export function writeSharedMemory(machine: Machine, { ist }: FlatOptions): void {
  const space = machine.space(0n)
  mapFlatSites(space)
  const sysexitStack = encodeDescriptor({ base: 0n, limit: 0xffff_ffff, access: dataAccess(3) })
  space.write64(GDT + BigInt(SYSEXIT_SS & ~7), sysexitStack)
  space.map(IDT_TABLE, 0)
  for (let vector = 0; vector < 256; vector++) {
    const gate = encodeGate({
      offset: handlerAddress(vector),
      selector: HOST_CS,
      dpl: FROM_RING3.includes(vector) ? 3 : 0,
      ist: ist || vector === VECTOR_DF ? (IST[vector] ?? 0) : 0,
    })
    space.write(IDT_TABLE + BigInt(GATE_BYTES * vector), gate)
  }
  space.map(tssAddress(0), 0, TSS_PAGES)
  space.map(shadowTable(0), 0)
  space.map(HANDLERS, PAGE_EXECUTABLE, HANDLER_PAGES)
  for (let vector = 0; vector < 256; vector++) space.write(handlerAddress(vector), handlerCode(vector))
  for (const [address, bytes] of ENTRY_CODE) space.write(address, Uint8Array.from(bytes))
}

/** Maps a CPU's stacks and fills its TSS, the TSS's descriptor, and the interrupt SSP table with its tokens. */
export function writeCpuMemory(machine: Machine, cpu: number, { shadowStacks }: FlatOptions): void {
  const space = machine.space(0n)
  const stacks = Array.from({ length: STACK_COUNT }, (_, n) => stackTop(cpu, n))
  for (const top of stacks) space.map(top - PAGE, PAGE_WRITABLE)
  const [rsp0, ...ist] = stacks
  space.write(tssAddress(cpu), encodeTss({ rsp: [rsp0!], ist }))
  const [low, high] = encodeSystemDescriptor({
    base: tssAddress(cpu),
    limit: TSS_BYTES - 1,
    type: TYPE_TSS_AVAILABLE,
  })
  space.write64(GDT + BigInt(tssSelector(cpu)), low)
  space.write64(GDT + BigInt(tssSelector(cpu)) + 8n, high)
  if (!shadowStacks) return
  for (let n = 0; n < STACK_COUNT; n++) {
    const token = shadowToken(cpu, n)
    space.map(token & ~0xfffn, PAGE_SHADOW_STACK)
    space.write64(token, token)
    if (n > 0) space.write64(shadowTable(cpu) + BigInt(8 * n), token)
  }
}
