import {
  AC,
  type Boot,
  type BootRequest,
  CET_SH_STK_EN,
  type Cpu,
  CR4,
  CR4_CET,
  CS,
  codeAccess64,
  DF,
  DS,
  dataAccess,
  ES,
  GDTR,
  type HostKind,
  IDTR,
  IF,
  loadTask,
  type Machine,
  MachineError,
  NT,
  type ProgramSite,
  RFLAGS_FIXED,
  S_CET,
  type SegmentNumber,
  SS,
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
  GUEST_CS64,
  GUEST_DATA,
  GUEST_SS,
  GUEST_STACK_TOP,
  guestGsBase,
  HOST_CODE,
  HOST_CS,
  HOST_DATA,
  HOST_SS,
  handlerAddress,
  hostGsBase,
  IDT_TABLE,
  memoryAreas,
  PAGE,
  SITE_PAGES,
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
    sites: { guest: guestSite, host: hostSite },
    areas: memoryAreas(machine.cpus.length),
    stackMap: flatStackMap,
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
function checkRequest(machine: Machine, { delivery, cmdline, options = {} }: BootRequest): FlatOptions {
  if (delivery !== undefined && delivery !== 'idt') {
    throw new MachineError('flat-delivery', `host "flat-idt" cannot deliver through "${delivery}"`, {
      hint: 'its delivery is idt',
    })
  }
  if (cmdline !== undefined) throw new MachineError('flat-cmdline', 'host "flat-idt" has no command line')
  for (const [option, value] of Object.entries(options)) {
    if (!(option in OPTIONS)) {
      throw new MachineError('flat-option', `host "flat-idt" has no option "${option}"`, {
        hint: `it has ${Object.keys(OPTIONS).join(' and ')}`,
      })
    }
    if (typeof value !== 'boolean') {
      throw new MachineError('flat-option', `option "${option}" of host "flat-idt" is true or false`)
    }
  }
  const { ist = true, shadowStacks = false } = options as Partial<FlatOptions>
  if (shadowStacks && !machine.cpu.has('cet-ss')) {
    throw new MachineError('flat-cpu', `CPU "${machine.model.name}" has no shadow stacks`, {
      hint: 'leave shadowStacks out',
    })
  }
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
  guestSite.enter(cpu)
}

/** Ring 3 code, in 64-bit mode. */
const guestSite: ProgramSite = {
  origin: GUEST_CODE,
  capacity: SITE_PAGES * Number(PAGE),
  cpl: 3,
  enter(cpu) {
    enter(cpu, 3, GUEST_CS64, GUEST_SS)
    cpu.rip = GUEST_CODE
    cpu.rsp = GUEST_STACK_TOP
    cpu.gsBase = guestGsBase(cpu.id)
    cpu.kernelGsBase = hostGsBase(cpu.id)
    if (cpu.supervisorShadowStack) cpu.space.write64(shadowToken(cpu.id, 0), shadowToken(cpu.id, 0))
    cpu.ssp = 0n
  },
}

/** Ring 0 code on the primary stack, whose shadow stack is in use: as after an event from ring 3 and SWAPGS. */
const hostSite: ProgramSite = {
  origin: HOST_CODE,
  capacity: SITE_PAGES * Number(PAGE),
  cpl: 0,
  enter(cpu) {
    enter(cpu, 0, HOST_CS, HOST_SS)
    cpu.rip = HOST_CODE
    cpu.rsp = stackTop(cpu.id, 0)
    cpu.gsBase = hostGsBase(cpu.id)
    cpu.kernelGsBase = guestGsBase(cpu.id)
    if (!cpu.supervisorShadowStack) return
    cpu.ssp = shadowToken(cpu.id, 0)
    cpu.space.write64(cpu.ssp, cpu.ssp | BigInt(TOKEN_BUSY))
  },
}

function enter(cpu: Cpu, cpl: number, cs: number, ss: number): void {
  const flat = { base: 0n, limit: 0xffff_ffff }
  cpu.setSegment(CS, { ...flat, selector: cs, access: codeAccess64(cpl) })
  const data: readonly SegmentNumber[] = [SS, DS, ES]
  for (const n of data) cpu.setSegment(n, { ...flat, selector: ss, access: dataAccess(cpl) })
  cpu.setCpl(cpl)
  cpu.rflags = BigInt(IF | RFLAGS_FIXED)
}

const hex = (value: bigint): string => `0x${value.toString(16)}`
