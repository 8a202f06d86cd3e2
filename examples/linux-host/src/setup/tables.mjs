/** @import { Cpu } from '@trapframe/core' */
import {
  GDTR,
  loadTask,
  PAGE_SIZE,
  TABLE_LIMIT,
  VECTOR_BP,
  VECTOR_DB,
  VECTOR_DF,
  VECTOR_MC,
  VECTOR_NMI,
  VECTOR_OF,
} from '@trapframe/core'
import { encodeGate, encodeTss, GATE_BYTES, TSS_BYTES } from '@trapframe/idt'
import { idtEntryLabel, VECTORS } from '../entry/idt-source.mjs'
import { VECTOR_INT80 } from '../kernel/system-calls.mjs'
import { EVENT_STACKS, endOf, eventStack, gdtPage, IDT_TABLE, taskStack, tssPage } from '../memory.mjs'
import { FRED_INFO_BYTES } from '../pt-regs.mjs'
import { DESCRIPTORS, GDT_BYTES, KERNEL_CS, TSS_SELECTOR, tssDescriptor } from '../selectors.mjs'

/** The GDT of a CPU and its TSS: RSP0 and the stacks of the IST. Both deliveries have them; FRED reads neither. @param {Cpu} cpu */
export function setUpGdtAndTss(cpu) {
  const gdt = gdtPage(cpu.id).linear
  const tss = tssPage(cpu.id).linear
  const { space } = cpu
  for (const [selector, descriptor] of DESCRIPTORS) space.write64(gdt + BigInt(selector & ~7), descriptor)
  const [low, high] = tssDescriptor(tss, TSS_BYTES - 1)
  space.write64(gdt + BigInt(TSS_SELECTOR), low)
  space.write64(gdt + BigInt(TSS_SELECTOR) + 8n, high)
  cpu.set64(GDTR, gdt)
  cpu.words[GDTR + TABLE_LIMIT] = GDT_BYTES - 1
  const rsp0 = endOf(taskStack(cpu.id)) - BigInt(FRED_INFO_BYTES)
  space.write(tss, encodeTss({ rsp: [rsp0], ist: EVENT_STACKS.map((name) => endOf(eventStack(cpu.id, name))) }))
  loadTask(cpu, TSS_SELECTOR)
}

/** Vectors with a stack of their own. @type {Readonly<Record<number, typeof EVENT_STACKS[number]>>} */
const OWN_STACK = { [VECTOR_DF]: '#DF', [VECTOR_NMI]: 'NMI', [VECTOR_DB]: '#DB', [VECTOR_MC]: '#MC' }

/** Vectors that a program may ask for with INT n; INT3 and INTO go through the same gates. */
const FROM_RING3 = [VECTOR_BP, VECTOR_OF, VECTOR_INT80]

/** IDTR's limit for all gates. */
export const IDT_LIMIT = VECTORS * GATE_BYTES - 1

/** Fills the IDT: interrupt gates to the kernel's text. @param {Cpu} cpu @param {(label: string) => bigint} addressOf */
export function writeIdt(cpu, addressOf) {
  const table = new Uint8Array(PAGE_SIZE)
  for (let vector = 0; vector < VECTORS; vector++) {
    const stack = OWN_STACK[vector]
    const gate = encodeGate({
      offset: addressOf(idtEntryLabel(vector)),
      selector: KERNEL_CS,
      ist: stack === undefined ? 0 : EVENT_STACKS.indexOf(stack) + 1,
      dpl: FROM_RING3.includes(vector) ? 3 : 0,
    })
    table.set(gate, vector * GATE_BYTES)
  }
  cpu.space.write(IDT_TABLE.linear, table)
}
