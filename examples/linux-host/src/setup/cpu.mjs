/** @import { Cpu } from '@trapframe/core' */
import {
  AC,
  CR4,
  CR4_SMAP,
  CR4_SMEP,
  DF,
  IDTR,
  IF,
  loadSegment,
  NT,
  resetCpu,
  SS,
  TABLE_LIMIT,
  TF,
  VECTOR_DB,
  VECTOR_DF,
  VECTOR_MC,
  VECTOR_NMI,
  writeMsr,
} from '@trapframe/core'
import { CONFIG_RED_ZONE, IA32_FRED_CONFIG, IA32_FRED_RSP0, IA32_FRED_STKLVLS } from '@trapframe/fred'
import { IA32_LSTAR } from '@trapframe/idt'
import { endOf, eventStack, IDT_TABLE, perCpuPage, taskStack } from '../memory.mjs'
import { writePerCpu } from '../per-cpu.mjs'
import { KERNEL_DS, STAR_VALUE } from '../selectors.mjs'
import { IDT_LIMIT, setUpGdtAndTss, writeIdt } from './tables.mjs'

const IA32_STAR = 0xc000_0081
const IA32_FMASK = 0xc000_0084
const CR4_FRED = 1n << 32n

/** What SYSCALL clears in RFLAGS. */
const SYSCALL_MASK = BigInt(TF | IF | DF | NT | AC)

/**
 * Brings one CPU up: tables, stacks, per-CPU area, and one of the two deliveries.
 *
 * @param {Cpu} cpu
 * @param {'idt' | 'fred'} delivery
 * @param {(label: string) => bigint} addressOf
 */
export function setUpCpu(cpu, delivery, addressOf) {
  resetCpu(cpu)
  setUpGdtAndTss(cpu)
  cpu.gsBase = perCpuPage(cpu.id).linear
  writePerCpu(cpu, 'task_stack_top', endOf(taskStack(cpu.id)))
  writeMsr(cpu, IA32_STAR, STAR_VALUE)
  const paging = (cpu.has('smep') ? CR4_SMEP : 0) | (cpu.has('smap') ? CR4_SMAP : 0)
  cpu.setControl(CR4, cpu.cr4 | BigInt(paging))
  writeIdt(cpu, addressOf)
  if (delivery === 'idt') enableIdt(cpu, addressOf)
  else enableFred(cpu, addressOf('entry_ring3'))
}

/** @param {Cpu} cpu @param {(label: string) => bigint} addressOf */
function enableIdt(cpu, addressOf) {
  cpu.set64(IDTR, IDT_TABLE.linear)
  cpu.words[IDTR + TABLE_LIMIT] = IDT_LIMIT
  writeMsr(cpu, IA32_LSTAR, addressOf('idt_syscall'))
  writeMsr(cpu, IA32_FMASK, SYSCALL_MASK)
}

/** Stack levels by vector; those that are not here have level 0, and so have interrupts. */
export const STACK_LEVELS = /** @type {const} */ ([
  [VECTOR_DB, 1],
  [VECTOR_NMI, 2],
  [VECTOR_MC, 2],
  [VECTOR_DF, 3],
])

/** The unit of the field: 64 bytes that an event on the same stack leaves free below RSP. */
const RED_ZONE = BigInt(CONFIG_RED_ZONE & -CONFIG_RED_ZONE)

/**
 * FRED in the order that leaves no moment in which an event goes astray: SS first, so that no frame holds a null one for
 * ERETS to stumble over; the MSRs; then CR4; at last there is no IDT.
 *
 * @param {Cpu} cpu
 * @param {bigint} entryPage
 */
function enableFred(cpu, entryPage) {
  const { id } = cpu
  loadSegment(cpu, SS, KERNEL_DS)
  const tops = [taskStack(id), eventStack(id, '#DB'), eventStack(id, 'NMI'), eventStack(id, '#DF')].map(endOf)
  for (const [level, top] of tops.entries()) writeMsr(cpu, IA32_FRED_RSP0 + level, top)
  writePerCpu(cpu, 'fred_rsp0', endOf(taskStack(id)))
  let levels = 0n
  for (const [vector, level] of STACK_LEVELS) levels |= BigInt(level) << BigInt(2 * vector)
  writeMsr(cpu, IA32_FRED_STKLVLS, levels)
  writeMsr(cpu, IA32_FRED_CONFIG, entryPage | RED_ZONE)
  cpu.setControl(CR4, cpu.cr4 | CR4_FRED)
  cpu.set64(IDTR, 0n)
  cpu.words[IDTR + TABLE_LIMIT] = 0
}
