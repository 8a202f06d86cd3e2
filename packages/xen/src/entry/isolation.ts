import { type Cpu, CR3, type Machine } from '@trapframe/core'
import { cpuStateOffset } from '../layout/cpu-info.js'
import {
  EARLY_TEXT,
  HOST_CODE,
  HOST_DATA,
  INIT_DATA,
  INIT_TEXT,
  type Mapping,
  PER_CPU,
  stackOf,
  vcpuPage,
} from '../layout/memory.js'
import { PAGE_BYTES } from '../layout/stack.js'

/**
 * Page-table isolation: while a guest runs, CR3 names tables that map of Xen only what an entry needs before it changes them:
 * its entry code, stacks, GDT, IDT and TSS. See `page-tables.ts` for the change.
 */

/** Xen's own tables, and the guest's. Neither is 0: in xen_cr3 and pv_cr3 that says that there is nothing to change. */
export const XEN_CR3 = 0x8n
export const GUEST_CR3 = 0x02c0_0000n

/** Maps the guest's tables, from what is mapped now. */
export function isolateGuests(machine: Machine): void {
  const own = machine.space(0n)
  const guest = machine.space(GUEST_CR3)
  for (const { address } of guest.pages()) guest.unmap(address)
  const hidden = hiddenFromGuests(machine)
  for (const { address, physical, flags } of own.pages()) {
    if (!hidden.some((mapping) => contains(mapping, address))) guest.map(address, flags, 1, physical)
  }
}

/** What an entry does not touch before it has Xen's tables. */
const hiddenFromGuests = (machine: Machine): readonly Mapping[] => [
  HOST_CODE,
  HOST_DATA,
  PER_CPU,
  EARLY_TEXT,
  INIT_TEXT,
  INIT_DATA,
  ...machine.cpus.flatMap(({ id }) => [vcpuPage(id, 'idle'), vcpuPage(id, 'guest')]),
]

const contains = ({ linear, pages }: Mapping, address: bigint): boolean => {
  const last = BigInt.asUintN(64, linear + BigInt(pages * PAGE_BYTES))
  return address >= linear && address < last
}

/** What cpu_info and CR3 say while a guest runs, and while Xen does. */
export function enterTables(cpu: Cpu, whose: 'guest' | 'xen'): void {
  const stack = stackOf(cpu.id).linear
  const guest = whose === 'guest'
  const set = (name: string, bytes: Uint8Array): void => cpu.space.write(stack + BigInt(cpuStateOffset(name)), bytes)
  set('pv_cr3', quad(GUEST_CR3))
  set('xen_cr3', quad(guest ? XEN_CR3 : 0n))
  set('use_pv_cr3', Uint8Array.of(guest ? 1 : 0))
  cpu.setControl(CR3, guest ? GUEST_CR3 : XEN_CR3)
}

const quad = (value: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(value).buffer)
