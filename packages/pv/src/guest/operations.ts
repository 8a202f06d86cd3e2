import type { EntryPoint } from './entry-points.js'
import { SEND_NMI } from './hypercalls.js'
import { type Piece, pieceAt, type SegmentRegister } from './kernel.js'
import { GuestStopped, type PvGuest, type Stop } from './pv-guest.js'

/** What the guest's kernel does by instructions of its own, some of which Xen emulates. */

/** RDMSR of the guest's kernel. @throws GuestStopped where it is not emulated */
export function readMsr(guest: PvGuest, index: bigint): bigint {
  guest.complete('rdmsr', { rcx: index })
  return guest.register('rax')
}

/** MOV to DS, ES, FS or GS; the vector of the fault, or null. The handler of a fault leaves the instruction out. */
export function loadSelector(guest: PvGuest, name: SegmentRegister, selector: bigint): number | null {
  const piece: Piece = `load_${name}`
  const stop = guest.call(piece, { rdi: selector })
  if (stop.kind === 'done') return null
  const vector = vectorOf(piece, stop)
  const [start, end] = pieceAt(piece)
  const back = guest.resume(end - start, 0n, end)
  if (back.kind !== 'done') throw new GuestStopped(`return from the fault of ${piece}`, back)
  return vector
}

function vectorOf(doing: string, stop: Stop): number {
  if (stop.kind === 'entry' && stop.entry.kind === 'trap') return stop.entry.vector
  throw new GuestStopped(doing, stop)
}

export function readSelector(guest: PvGuest, name: SegmentRegister): bigint {
  guest.complete(`read_${name}`)
  return guest.register('rax')
}

/** MOV from CR4, OR, MOV to CR4. */
export const setCr4Bits = (guest: PvGuest, bits: bigint): void => guest.complete('set_cr4_bits', { rdi: bits })

/** CPUID as Xen emulates it for a guest that asks it to. */
export function forcedCpuid(guest: PvGuest, leaf: bigint, subleaf: bigint): readonly [ebxEax: bigint, edxEcx: bigint] {
  guest.complete('cpuid', { rax: leaf, rcx: subleaf })
  const [rax, rbx, rcx, rdx] = (['rax', 'rbx', 'rcx', 'rdx'] as const).map((name) => guest.register(name))
  return [(rbx! << 32n) | rax!, (rdx! << 32n) | rcx!]
}

export function readQword(guest: PvGuest, address: bigint): bigint {
  guest.complete('read_qword', { rdi: address })
  return guest.register('rax')
}

export const writeQword = (guest: PvGuest, address: bigint, value: bigint): void =>
  guest.complete('write_qword', { rdi: address, rsi: value })

/** The quadword at GS:0, or the way in which the kernel was entered when that faulted. */
export function readGsQword(guest: PvGuest): bigint | EntryPoint {
  const stop = guest.call('read_gs_qword')
  if (stop.kind === 'done') return guest.register('rax')
  if (stop.kind === 'entry') return stop.entry
  throw new GuestStopped('read GS:0', stop)
}

/**
 * Leaves an NMI pending that the next iret hypercall lets through: VCPUOP_send_nmi is issued twice, the second time in the
 * handler of the first one. Without a handler nothing is entered. The result of the second.
 */
export function sendNmi(guest: PvGuest): bigint {
  for (let i = 0; i < 2; i++) {
    const stop = guest.call('hypercall', SEND_NMI)
    if (stop.kind === 'crash' || stop.kind === 'stuck') throw new GuestStopped('VCPUOP_send_nmi', stop)
  }
  return BigInt.asIntN(64, guest.register('rax'))
}
