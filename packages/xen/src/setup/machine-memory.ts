import {
  type AddressSpace,
  type Machine,
  type MemoryArea,
  PAGE_EXECUTABLE,
  PAGE_SHADOW_STACK,
  PAGE_USER,
  PAGE_WRITABLE,
} from '@trapframe/core'
import {
  areaOf,
  DIRECTMAP_START,
  EARLY_TEXT,
  GUEST_CODE,
  GUEST_DATA,
  GUEST_STACKS,
  gdtBase,
  gdtFrame,
  guestStackOf,
  guestVcpuInfo,
  HOST_CODE,
  HOST_DATA,
  INIT_DATA,
  INIT_TEXT,
  idtPage,
  M2P,
  type Mapping,
  PER_CPU,
  stackOf,
  stubPage,
  TEXT,
  tssPage,
  vcpuInfoPage,
  vcpuPage,
  ZERO_FRAME,
} from '../layout/memory.js'
import { FIRST_RESERVED_GDT_BYTE, GUEST_GDT_PAGES } from '../layout/selectors.js'
import { PAGE_BYTES, SHADOW_PAGES } from '../layout/stack.js'

const map = (space: AddressSpace, { linear, physical, pages }: Mapping, flags: number): void =>
  space.map(linear, flags, pages, physical)

/** Maps Xen and the guest, with the attributes that each page has, and clears what an earlier boot left of its code. */
export function mapMemory(machine: Machine): void {
  const space = machine.space(0n)
  for (const text of TEXTS) map(space, text, PAGE_EXECUTABLE)
  map(space, INIT_DATA, PAGE_WRITABLE)
  map(space, HOST_CODE, PAGE_EXECUTABLE)
  map(space, HOST_DATA, PAGE_WRITABLE)
  map(space, PER_CPU, PAGE_WRITABLE)
  map(space, M2P, PAGE_USER)
  map(space, DIRECTMAP_START, PAGE_WRITABLE)
  map(space, GUEST_CODE, PAGE_USER | PAGE_EXECUTABLE)
  map(space, GUEST_DATA, PAGE_USER | PAGE_WRITABLE)
  map(space, GUEST_STACKS, PAGE_USER | PAGE_WRITABLE)
  for (const { id } of machine.cpus) {
    map(space, stubPage(id), PAGE_EXECUTABLE)
    map(space, idtPage(id), PAGE_WRITABLE)
    map(space, tssPage(id), PAGE_WRITABLE)
    map(space, vcpuPage(id, 'idle'), PAGE_WRITABLE)
    map(space, vcpuPage(id, 'guest'), PAGE_WRITABLE)
    map(space, guestStackOf(id), PAGE_USER | PAGE_WRITABLE)
    map(space, vcpuInfoPage(id), PAGE_WRITABLE)
    map(space, guestVcpuInfo(id), PAGE_USER | PAGE_WRITABLE)
    mapGdt(space, id)
    mapStack(space, stackOf(id))
  }
  for (const text of TEXTS) clear(space, text)
}

/** Clears whatever a boot or what runs after it writes, but not code. */
export function clearMemory(machine: Machine): void {
  const space = machine.space(0n)
  for (const mapping of written(machine)) clear(space, mapping)
}

const clear = (space: AddressSpace, { linear, pages }: Mapping): void =>
  space.write(linear, new Uint8Array(pages * PAGE_BYTES))

/** The guest's pages of the GDT are empty here; Xen's page comes behind them. */
function mapGdt(space: AddressSpace, cpu: number): void {
  const base = gdtBase(cpu)
  for (let page = 0; page < GUEST_GDT_PAGES; page++) {
    space.map(base + BigInt(page * PAGE_BYTES), 0, 1, ZERO_FRAME)
  }
  space.map(base + BigInt(GUEST_GDT_PAGES * PAGE_BYTES), PAGE_WRITABLE, 1, gdtFrame(cpu))
}

/**
 * Shadow stacks are read-only, dirty pages whether CET is on or not: without it they are guards, and a push there is #PF
 * either way (X4).
 */
function mapStack(space: AddressSpace, { linear, physical, pages }: Mapping): void {
  for (let page = 0; page < pages; page++) {
    const offset = BigInt(page * PAGE_BYTES)
    space.map(linear + offset, SHADOW_PAGES.includes(page) ? PAGE_SHADOW_STACK : PAGE_WRITABLE, 1, physical + offset)
  }
}

const TEXTS: readonly Mapping[] = [TEXT, EARLY_TEXT, INIT_TEXT]

/** Xen's own page of a CPU's GDT. */
const gdtPage = (cpu: number): Mapping => ({
  linear: gdtBase(cpu) + BigInt(FIRST_RESERVED_GDT_BYTE),
  physical: gdtFrame(cpu),
  pages: 1,
})

/** What a boot writes to. */
function written(machine: Machine): Mapping[] {
  return [
    INIT_DATA,
    PER_CPU,
    ...machine.cpus.flatMap(({ id }) => [
      stubPage(id),
      idtPage(id),
      tssPage(id),
      gdtPage(id),
      vcpuPage(id, 'idle'),
      vcpuPage(id, 'guest'),
      vcpuInfoPage(id),
      stackOf(id),
    ]),
  ]
}

/** Who owns which memory, for expectations. */
export function memoryAreas(machine: Machine): Readonly<Record<'guest' | 'host', readonly MemoryArea[]>> {
  const ids = machine.cpus.map(({ id }) => id)
  return {
    guest: [GUEST_CODE, GUEST_DATA, GUEST_STACKS, ...ids.map(guestStackOf), ...ids.map(guestVcpuInfo)].map(areaOf),
    host: [
      ...TEXTS,
      INIT_DATA,
      HOST_CODE,
      HOST_DATA,
      M2P,
      DIRECTMAP_START,
      PER_CPU,
      ...ids.flatMap((id) => [
        stubPage(id),
        idtPage(id),
        tssPage(id),
        vcpuPage(id, 'idle'),
        vcpuPage(id, 'guest'),
        stackOf(id),
        { linear: gdtBase(id), physical: gdtFrame(id), pages: GUEST_GDT_PAGES + 1 },
      ]),
    ].map(areaOf),
  }
}
