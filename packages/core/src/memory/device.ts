import type { Cpu } from '../cpu/cpu.js'
import { UnsupportedError } from '../error.js'
import { pf } from '../event/fault.js'
import { RFLAGS } from '../state/registers.js'
import { AC } from '../state/rflags.js'
import { pageFaultErrorCode, WRITE } from './access.js'
import { ENTRY_FLAGS, ENTRY_INDEX_SHIFT } from './address-space.js'
import { Frame, PAGE_SIZE } from './physical.js'

/**
 * A physical page that is no memory but the registers of a device: 32 bits each, at multiples of four. Its state is in
 * declared regions.
 *
 * Accesses that are none cost nothing. The lookup of an address space answers "not present" for a device's page; what
 * would be a #PF then comes here, where the page's own attributes are judged. The instruction reads or writes a frame that
 * nobody keeps, and is told afterwards that somebody watches: that is when a store reaches the device.
 */
export interface Device {
  /** Physical address of its page. */
  readonly page: bigint
  /** Whether a CPU's accesses reach the device as it is now; else the page is memory. */
  claims(cpu: Cpu): boolean
  /** The register at a page offset, a multiple of four. */
  load(cpu: Cpu, offset: number): number
  store(cpu: Cpu, offset: number, value: number): void
}

/** `cpu.watching`: the access that executes is one to a device. */
export const WATCH_DEVICE = 8

/** Where the values of an access to a device pass. */
const passing = new Frame(new Uint8Array(PAGE_SIZE), 0)
let accessed: Device | null = null

/**
 * The frame for an access that the lookup refused with `entry`, where the page is a device's and its attributes allow it.
 *
 * @throws #PF in every other case
 */
export function deviceFrame(cpu: Cpu, lo: number, hi: number, access: number, entry: number): Frame {
  const index = deviceIndex(cpu, lo, hi, access, entry)
  const { memory } = cpu.space
  const device = memory.devices!.get(index)!
  const write = (access & WRITE) !== 0
  if (!device.claims(cpu)) return write ? memory.writable(index) : memory.frames[index]!
  const offset = lo & 0xffc
  if (!write) passing.view.setInt32(offset, device.load(cpu, offset), true)
  accessed = device
  cpu.watching |= WATCH_DEVICE
  return passing
}

/** The frame to fetch from, likewise. @throws #PF; UnsupportedError for code in a device's registers */
export function fetchableDeviceIndex(cpu: Cpu, lo: number, hi: number, access: number, entry: number): number {
  const index = deviceIndex(cpu, lo, hi, access, entry)
  if (!cpu.space.memory.devices!.get(index)!.claims(cpu)) return index
  throw new UnsupportedError('instruction', 'instructions are fetched from the registers of a device')
}

/** Dense index of a device's page, after the permission check. @throws #PF */
export function deviceIndex(cpu: Cpu, lo: number, hi: number, access: number, entry: number): number {
  const device = cpu.space.deviceEntry(lo, hi)
  const flags = (device === 0 ? entry : device) & ENTRY_FLAGS
  const ac = (cpu.words[RFLAGS]! & AC) >>> 8
  if (device === 0 || cpu.permissions[ac | (access << 5) | flags] === 0) {
    throw pf(pageFaultErrorCode(flags, access, cpu.controls), lo, hi)
  }
  return device >> ENTRY_INDEX_SHIFT
}

/** The rest of an access that {@link deviceFrame} began. @throws UnsupportedError unless it is 32 bits wide and aligned */
export function finishDeviceAccess(cpu: Cpu, lo: number, bytes: number, write: boolean): void {
  const device = accessed!
  accessed = null
  cpu.watch()
  if (bytes !== 4 || (lo & 3) !== 0) {
    throw new UnsupportedError('instruction', `${bytes} bytes of the registers of a device are accessed at once`, {
      hint: 'they are 32 bits wide and aligned; the manuals leave other accesses open',
    })
  }
  const offset = lo & 0xffc
  if (write) device.store(cpu, offset, passing.view.getInt32(offset, true))
}
