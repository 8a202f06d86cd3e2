/** @import { AddressSpace, Machine, MemoryArea } from '@trapframe/core' */
import { PAGE_EXECUTABLE, PAGE_SIZE, PAGE_USER, PAGE_WRITABLE } from '@trapframe/core'

/** Where things are: linear addresses in the manner of Linux, on low physical memory. */

const PAGE = BigInt(PAGE_SIZE)

/**
 * A stretch of linear memory and the frames behind it.
 *
 * @typedef {object} Mapping
 * @property {bigint} linear
 * @property {bigint} physical
 * @property {number} pages
 * @property {number} flags attributes of its pages
 */

/** @type {(linear: bigint, physical: bigint, pages: number, flags: number) => Mapping} */
const mapping = (linear, physical, pages, flags) => ({ linear, physical, pages, flags })

/** First byte after a mapping. @type {(one: Mapping) => bigint} */
export const endOf = ({ linear, pages }) => linear + BigInt(pages) * PAGE

/** The kernel's own code; its first page is the one that IA32_FRED_CONFIG names. */
export const TEXT = mapping(0xffff_ffff_8100_0000n, 0x100_0000n, 4, PAGE_EXECUTABLE)
/** Where a scenario puts code that runs as part of the kernel (a module), and data for it. */
export const HOST_CODE = mapping(0xffff_ffff_8140_0000n, 0x140_0000n, 4, PAGE_EXECUTABLE)
export const HOST_DATA = mapping(0xffff_ffff_8200_0000n, 0x200_0000n, 4, PAGE_WRITABLE)

/** The per-CPU area, which GS points at in ring 0. @type {(cpu: number) => Mapping} */
export const perCpuPage = (cpu) =>
  mapping(0xffff_ffff_8300_0000n + BigInt(cpu) * PAGE, 0x300_0000n + BigInt(cpu) * PAGE, 1, PAGE_WRITABLE)

/** The user program, its data, and its stack. */
export const GUEST_CODE = mapping(0x40_0000n, 0x40_0000n, 16, PAGE_USER | PAGE_EXECUTABLE)
export const GUEST_DATA = mapping(0x60_0000n, 0x60_0000n, 16, PAGE_USER | PAGE_WRITABLE)
/** @type {(cpu: number) => Mapping} */
export const guestStack = (cpu) => {
  const offset = BigInt(cpu) * 16n * PAGE
  return mapping(0x7fff_0000_0000n + offset, 0x80_0000n + offset, 4, PAGE_USER | PAGE_WRITABLE)
}

const TASK_STACK_STRIDE = 0x8000n

/** The stack of the task that a CPU runs, with a page below it that is not mapped. @type {(cpu: number) => Mapping} */
export const taskStack = (cpu) => stackOfTask(2n * BigInt(cpu))
/** The stack of another task, for scenarios that switch to one. @type {(cpu: number) => Mapping} */
export const otherTaskStack = (cpu) => stackOfTask(2n * BigInt(cpu) + 1n)

/** @type {(n: bigint) => Mapping} */
const stackOfTask = (n) =>
  mapping(0xffff_c900_0000_4000n + n * TASK_STACK_STRIDE, 0x400_0000n + n * TASK_STACK_STRIDE, 4, PAGE_WRITABLE)

/** The IDT, shared and read-only, and the entry area of each CPU: GDT, TSS, the stacks of single events. */
export const IDT_TABLE = mapping(0xffff_fe00_0000_0000n, 0x500_0000n, 1, 0)

const ENTRY_AREA_BYTES = 0x2_0000n
/** @type {(cpu: number, offset: bigint, pages: number) => Mapping} */
const inEntryArea = (cpu, offset, pages) => {
  const start = BigInt(cpu) * ENTRY_AREA_BYTES + offset
  return mapping(0xffff_fe00_0000_1000n + start, 0x510_0000n + start, pages, PAGE_WRITABLE)
}
/** @type {(cpu: number) => Mapping} */
export const gdtPage = (cpu) => inEntryArea(cpu, 0n, 1)
/** @type {(cpu: number) => Mapping} */
export const tssPage = (cpu) => inEntryArea(cpu, 0x1000n, 1)

/** The stacks that belong to events, each with a page below it that is not mapped; in the order of the IST entries. */
export const EVENT_STACKS = /** @type {const} */ (['#DF', 'NMI', '#DB', '#MC'])
/** @typedef {typeof EVENT_STACKS[number]} EventStack */

const EVENT_STACK_PAGES = 2
/** @type {(cpu: number, name: EventStack) => Mapping} */
export const eventStack = (cpu, name) => {
  const first = 0x4000n + BigInt(EVENT_STACKS.indexOf(name) * (EVENT_STACK_PAGES + 1)) * PAGE
  return inEntryArea(cpu, first, EVENT_STACK_PAGES)
}

/** @type {(cpus: number) => readonly Mapping[]} */
const hostMappings = (cpus) => [
  TEXT,
  HOST_CODE,
  HOST_DATA,
  IDT_TABLE,
  ...Array.from({ length: cpus }, (_, id) => [
    perCpuPage(id),
    gdtPage(id),
    tssPage(id),
    taskStack(id),
    otherTaskStack(id),
    ...EVENT_STACKS.map((name) => eventStack(id, name)),
  ]).flat(),
]

/** @type {(cpus: number) => readonly Mapping[]} */
const guestMappings = (cpus) => [GUEST_CODE, GUEST_DATA, ...Array.from({ length: cpus }, (_, id) => guestStack(id))]

/** Maps the kernel and the user program, and clears what an earlier boot left. @param {Machine} machine */
export function mapMemory(machine) {
  const space = machine.space(0n)
  const cpus = machine.cpus.length
  for (const one of [...hostMappings(cpus), ...guestMappings(cpus)]) mapZeros(space, one)
}

/** @param {AddressSpace} space @param {Mapping} one */
function mapZeros(space, { linear, physical, pages, flags }) {
  space.map(linear, flags, pages, physical)
  space.write(linear, new Uint8Array(pages * PAGE_SIZE))
}

/**
 * Who owns which memory, for expectations.
 *
 * @param {number} cpus
 * @returns {Readonly<Record<'guest' | 'host', readonly MemoryArea[]>>}
 */
export function memoryAreas(cpus) {
  /** @type {(one: Mapping) => MemoryArea} */
  const area = ({ linear, pages }) => ({ address: linear, bytes: pages * PAGE_SIZE })
  return { guest: guestMappings(cpus).map(area), host: hostMappings(cpus).map(area) }
}
