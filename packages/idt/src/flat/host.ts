import {
  AC,
  type Boot,
  type BootRequest,
  CET_SH_STK_EN,
  type Cpu,
  CR4,
  CR4_CET,
  checkFlatRequest,
  DF,
  flatHostGsBase,
  flatSites,
  GDTR,
  type HostKind,
  IDTR,
  IF,
  loadTask,
  type Machine,
  NT,
  requireShadowStacks,
  S_CET,
  TABLE_LIMIT,
  TF,
  TOKEN_BUSY,
  vectorName,
  writeMsr,
} from '@trapframe/core'
import {
  IA32_CSTAR,
  IA32_INTERRUPT_SSP_TABLE_ADDR,
  IA32_LSTAR,
  IA32_SYSENTER_CS,
  IA32_SYSENTER_EIP,
  IA32_SYSENTER_ESP,
} from '../msrs.js'
import {
  GDT,
  GUEST_CODE,
  GUEST_CS32,
  GUEST_DATA,
  HOST_CODE,
  HOST_CS,
  HOST_DATA,
  handlerAddress,
  IDT_TABLE,
  memoryAreas,
  PAGE,
  STACK_COUNT,
  SYSCALL_ENTRY,
  SYSCALL_ENTRY_32,
  SYSENTER_ENTRY,
  shadowTable,
  shadowToken,
  stackTop,
  tssAddress,
  tssSelector,
} from './memory.js'
import { flatStackMap } from './stack-map.js'
import { type FlatOptions, writeCpuMemory, writeSharedMemory } from './tables.js'

const IA32_STAR = 0xc000_0081
const IA32_FMASK = 0xc000_0084
const IA32_PL0_SSP = 0x6a4

const OPTIONS: Readonly<Record<keyof FlatOptions, string>> = {
  ist: '#MC, NMI and #DB on IST stacks; #DF always is (default true)',
  shadowStacks: 'supervisor shadow stacks with their tokens on (default false)',
}

/**
 * The smallest machine that makes sense under the IDT, for documents, tests and measurements: flat segments, a gate for
 * every vector whose handler returns at once, a primary stack and four IST stacks with a guard page below each, ring 3
 * code to interrupt. Every CPU starts in ring 3.
 */
export const FLAT_IDT: HostKind = {
  name: 'flat-idt',
  summary: 'a flat machine under the IDT: RSP0 and four IST stacks, handlers that return at once',
  deliveries: ['idt'],
  options: OPTIONS,
  boot,
}

function boot(machine: Machine, request: BootRequest): Boot {
  const options = checkRequest(machine, request)
  writeSharedMemory(machine, options)
  for (const cpu of machine.cpus) {
    writeCpuMemory(machine, cpu.id, options)
    bootCpu(cpu, options)
  }
  return {
    delivery: 'idt',
    reasons: ['flat-idt has no other delivery'],
    log: [`IDT at ${hex(IDT_TABLE)} on ${machine.cpus.length} CPU${machine.cpus.length === 1 ? '' : 's'}`],
    labels: labels(),
    sites: SITES,
    areas: memoryAreas(machine.cpus.length),
    stackMap: flatStackMap,
    hostGsBases: ({ id }) => [flatHostGsBase(id)],
  }
}

/** `handler_14` and `handler_pf` are the same place. TSS and stacks are those of CPU 0. */
function labels(): Map<string, bigint> {
  const map = new Map([
    ['guest', GUEST_CODE],
    ['guest_data', GUEST_DATA],
    ['host', HOST_CODE],
    ['host_data', HOST_DATA],
    ['gdt', GDT],
    ['idt', IDT_TABLE],
    ['tss', tssAddress(0)],
    ['syscall_entry', SYSCALL_ENTRY],
    ['syscall_entry_32', SYSCALL_ENTRY_32],
    ['sysenter_entry', SYSENTER_ENTRY],
  ])
  map.set('primary_top', stackTop(0, 0))
  for (let n = 1; n < STACK_COUNT; n++) map.set(`ist${n}_top`, stackTop(0, n))
  for (let vector = 0; vector < 256; vector++) {
    map.set(`handler_${vector}`, handlerAddress(vector))
    const name = /^#?([A-Z]+)$/.exec(vectorName(vector))?.[1]
    if (name) map.set(`handler_${name.toLowerCase()}`, handlerAddress(vector))
  }
  return map
}

/** What is wanted. @throws MachineError for what this host or this CPU cannot do */
function checkRequest(machine: Machine, request: BootRequest): FlatOptions {
  const { ist = true, shadowStacks = false } = checkFlatRequest(FLAT_IDT, request)
  if (shadowStacks) requireShadowStacks(machine)
  return { ist, shadowStacks }
}

function bootCpu(cpu: Cpu, { shadowStacks }: FlatOptions): void {
  cpu.set64(GDTR, GDT)
  cpu.words[GDTR + TABLE_LIMIT] = Number(PAGE) - 1
  cpu.set64(IDTR, IDT_TABLE)
  cpu.words[IDTR + TABLE_LIMIT] = Number(PAGE) - 1
  loadTask(cpu, tssSelector(cpu.id))
  writeMsr(cpu, IA32_STAR, (BigInt(GUEST_CS32) << 48n) | (BigInt(HOST_CS) << 32n))
  writeMsr(cpu, IA32_FMASK, BigInt(TF | IF | DF | NT | AC))
  writeMsr(cpu, IA32_LSTAR, SYSCALL_ENTRY)
  writeMsr(cpu, IA32_CSTAR, SYSCALL_ENTRY_32)
  writeMsr(cpu, IA32_SYSENTER_CS, BigInt(HOST_CS))
  writeMsr(cpu, IA32_SYSENTER_ESP, stackTop(cpu.id, 0))
  writeMsr(cpu, IA32_SYSENTER_EIP, SYSENTER_ENTRY)
  if (shadowStacks) {
    writeMsr(cpu, IA32_PL0_SSP, shadowToken(cpu.id, 0))
    writeMsr(cpu, IA32_INTERRUPT_SSP_TABLE_ADDR, shadowTable(cpu.id))
    cpu.set64(S_CET, BigInt(CET_SH_STK_EN))
    cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_CET))
  }
  SITES.guest.enter(cpu)
}

/** Ring 0's shadow stack is that of the primary stack; its token is busy while ring 0 code runs on it. */
const SITES = flatSites({
  hostStack: (cpu) => stackTop(cpu.id, 0),
  setShadowStack(cpu, cpl) {
    const token = shadowToken(cpu.id, 0)
    if (cpu.supervisorShadowStack) cpu.space.write64(token, cpl === 0 ? token | BigInt(TOKEN_BUSY) : token)
    if (cpl === 3) cpu.ssp = 0n
    else if (cpu.supervisorShadowStack) cpu.ssp = token
  },
})

const hex = (value: bigint): string => `0x${value.toString(16)}`
