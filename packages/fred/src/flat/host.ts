import {
  type Boot,
  type BootRequest,
  CET_SH_STK_EN,
  type Cpu,
  CR4,
  CR4_CET,
  checkFlatRequest,
  flatHostGsBase,
  flatSites,
  GDTR,
  type HostKind,
  type Machine,
  MachineError,
  mapFlatSites,
  PAGE_EXECUTABLE,
  PAGE_SHADOW_STACK,
  PAGE_WRITABLE,
  requireShadowStacks,
  S_CET,
  STAR,
  TABLE_LIMIT,
  VECTOR_DB,
  VECTOR_DF,
  VECTOR_MC,
  VECTOR_NMI,
  writeMsr,
} from '@trapframe/core'
import { IA32_FRED_CONFIG, IA32_FRED_RSP0, IA32_FRED_SSP0, IA32_FRED_SSP1, IA32_FRED_STKLVLS } from '../msrs.js'
import {
  ENTRY_CODE,
  ENTRY_PAGE,
  GDT,
  GUEST_CODE,
  GUEST_CS32,
  GUEST_DATA,
  HOST_CODE,
  HOST_CS,
  HOST_DATA,
  memoryAreas,
  PAGE,
  RING0_ENTRY,
  shadowTop,
  stackTop,
} from './memory.js'
import { flatStackMap } from './stack-map.js'

const CR4_FRED = 1n << 32n
const LEVELS = [0, 1, 2, 3] as const

/** Stack levels as Linux has them: #DB on SL1, NMI and #MC on SL2, #DF on SL3. */
const STACK_LEVELS =
  (1n << BigInt(2 * VECTOR_DB)) |
  (2n << BigInt(2 * VECTOR_NMI)) |
  (2n << BigInt(2 * VECTOR_MC)) |
  (3n << BigInt(2 * VECTOR_DF))

/**
 * The smallest machine that makes sense under FRED, for documents, tests and measurements: flat segments, one page of
 * entry code that returns at once, a stack for each level with a guard page below, ring 3 code to interrupt. Every CPU
 * starts in ring 3.
 */
export const FLAT_FRED: HostKind = {
  name: 'flat-fred',
  summary: 'a flat machine under FRED: a stack for each level, entry points that return at once',
  deliveries: ['fred'],
  options: { shadowStacks: 'supervisor shadow stacks on, one for each level (default false)' },
  boot,
}

function boot(machine: Machine, request: BootRequest): Boot {
  const shadowStacks = checkRequest(machine, request)
  const space = machine.space(0n)
  mapFlatSites(space)
  space.map(ENTRY_PAGE, PAGE_EXECUTABLE)
  for (const [address, bytes] of ENTRY_CODE) space.write(address, Uint8Array.from(bytes))
  for (const cpu of machine.cpus) {
    for (const level of LEVELS) {
      space.map(stackTop(cpu.id, level) - PAGE, PAGE_WRITABLE)
      if (shadowStacks) space.map(shadowTop(cpu.id, level) - PAGE, PAGE_SHADOW_STACK)
    }
    bootCpu(cpu, shadowStacks)
  }
  return {
    delivery: 'fred',
    reasons: ['flat-fred has no other delivery'],
    log: [`FRED on ${machine.cpus.length} CPU${machine.cpus.length === 1 ? '' : 's'}, entry page ${hex(ENTRY_PAGE)}`],
    labels: new Map([
      ['entry_ring3', ENTRY_PAGE],
      ['entry_ring0', RING0_ENTRY],
      ['guest', GUEST_CODE],
      ['guest_data', GUEST_DATA],
      ['host', HOST_CODE],
      ['host_data', HOST_DATA],
      ['gdt', GDT],
      ...LEVELS.map((level) => [`sl${level}_top`, stackTop(0, level)] as const),
    ]),
    sites: SITES,
    areas: memoryAreas(machine.cpus.length),
    stackMap: flatStackMap,
    hostGsBases: ({ id }) => [flatHostGsBase(id)],
  }
}

/** Whether shadow stacks are wanted. @throws MachineError for what this host or this CPU cannot do */
function checkRequest(machine: Machine, request: BootRequest): boolean {
  const { shadowStacks = false } = checkFlatRequest(FLAT_FRED, request)
  if (!machine.cpu.has('fred')) {
    throw new MachineError('flat-cpu', `CPU "${machine.model.name}" has no FRED`, {
      hint: 'take panther-lake, diamond-rapids or zen6',
    })
  }
  if (shadowStacks) requireShadowStacks(machine)
  return shadowStacks
}

function bootCpu(cpu: Cpu, shadowStacks: boolean): void {
  cpu.set64(GDTR, GDT)
  cpu.words[GDTR + TABLE_LIMIT] = Number(PAGE) - 1
  cpu.set64(STAR, (BigInt(GUEST_CS32) << 48n) | (BigInt(HOST_CS) << 32n))
  for (const level of LEVELS) writeMsr(cpu, IA32_FRED_RSP0 + level, stackTop(cpu.id, level))
  writeMsr(cpu, IA32_FRED_STKLVLS, STACK_LEVELS)
  writeMsr(cpu, IA32_FRED_CONFIG, ENTRY_PAGE)
  if (shadowStacks) {
    writeMsr(cpu, IA32_FRED_SSP0, shadowTop(cpu.id, 0))
    for (const level of [1, 2, 3]) writeMsr(cpu, IA32_FRED_SSP1 + level - 1, shadowTop(cpu.id, level))
    cpu.set64(S_CET, BigInt(CET_SH_STK_EN))
  }
  cpu.setControl(CR4, cpu.cr4 | CR4_FRED | (shadowStacks ? BigInt(CR4_CET) : 0n))
  SITES.guest.enter(cpu)
}

const SITES = flatSites({
  hostStack: (cpu) => stackTop(cpu.id, 0),
  setShadowStack(cpu, cpl) {
    cpu.ssp = cpl === 0 && cpu.supervisorShadowStack ? shadowTop(cpu.id, 0) : 0n
  },
})

const hex = (value: bigint): string => `0x${value.toString(16)}`
