import { createMachine, type Machine } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { FLAT_USER_CS64, FLAT_USER_SS, xen } from '@trapframe/xen'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { pv } from '../plugin.js'
import { callbackEntry, ENTRY_POINT_COUNT, entryPointAt, vectorEntry } from './entry-points.js'
import { clearTrap, registerCallback, sendEvent, setTraps } from './hypercalls.js'
import { END_VECTOR, initialise } from './initial-state.js'
import { ANCHORS, ENTRY_POINT_BYTES, ENTRY_POINT_PAGES, MARKS } from './memory.js'
import { loadSelector, readGsQword, readMsr, readQword, sendNmi, writeQword } from './operations.js'
import { GuestStopped, PvGuest, type Stop } from './pv-guest.js'
import { askXen, readEntry } from './seen.js'

test('entry points are 32 bytes apart, and each address is of one of them or of none', () => {
  expect(BigInt(ENTRY_POINT_COUNT) * ENTRY_POINT_BYTES <= BigInt(ENTRY_POINT_PAGES * 4096)).toBe(true)
  for (let vector = 0; vector < 256; vector++) {
    expect(entryPointAt(vectorEntry(vector))).toEqual({ kind: 'trap', vector })
    expect(entryPointAt(vectorEntry(vector) + 1n)).toBeNull()
  }
  expect(entryPointAt(callbackEntry('sysenter'))).toEqual({ kind: 'callback', name: 'sysenter' })
  expect(entryPointAt(vectorEntry(0) - ENTRY_POINT_BYTES)).toBeNull()
})

describe.each(['idt', 'fred'] as const)('a guest under %s (P1)', (delivery) => {
  let machine: Machine
  let guest: PvGuest
  let start: ReturnType<Machine['snapshot']>
  beforeAll(() => {
    machine = createMachine({ cpu: 'panther-lake', plugins: [isa(), idt(), fred(), xen(), pv()] })
    guest = new PvGuest(machine, { revision: 'upstream', delivery, cmdline: 'cet=no-ibt' })
    initialise(guest)
    start = machine.snapshot()
  })
  beforeEach(() => {
    machine.restore(start)
    guest.forgetLog()
  })

  /** Goes to user code by an iret hypercall. */
  const run = (code: readonly number[], kernel = false): Stop => {
    guest.placeCode(Uint8Array.from(code))
    return guest.iret({
      rax: 1n,
      r11: 2n,
      rcx: 3n,
      flags: 0n,
      rip: ANCHORS.code,
      cs: BigInt(kernel ? FLAT_USER_CS64 & ~3 : FLAT_USER_CS64),
      rflags: 0x202n,
      rsp: kernel ? ANCHORS.kcur : ANCHORS.ustack,
      ss: BigInt(FLAT_USER_SS),
    })
  }
  const UD2 = [0x0f, 0x0b]
  const END = [0xcd, END_VECTOR]

  test('its kernel runs in ring 3, with the bases that it asked for', () => {
    expect(machine.cpu.cpl).toBe(3)
    expect(guest.inKernelMode).toBe(true)
    expect(readMsr(guest, 0xc000_0101n)).toBe(ANCHORS.gsk)
    expect(readMsr(guest, 0xc000_0102n)).toBe(ANCHORS.gsu)
    expect(readGsQword(guest)).toBe(MARKS.gsk)
  })

  test('an exception of user code enters the kernel on the registered stack, and the handler goes back', () => {
    expect(run([...UD2, ...END])).toEqual({ kind: 'entry', entry: { kind: 'trap', vector: 6 } })
    expect(readEntry(guest)).toMatchObject({
      frameAt: ANCHORS.kstack - 0x38n,
      frame: { rcx: 3n, r11: 2n, errorCode: null, rip: ANCHORS.code, rsp: ANCHORS.ustack },
    })
    expect(guest.resume(2n)).toEqual({ kind: 'entry', entry: { kind: 'trap', vector: END_VECTOR } })
    expect(readEntry(guest)).toMatchObject({ frame: { rcx: 3n, r11: 2n, rip: ANCHORS.code + 4n }, gpr: { rax: 1n } })
  })

  test('an error code is found in the frame, and left out on the way back', () => {
    const cli = [0xfa]
    expect(run([...cli, ...END])).toMatchObject({ entry: { vector: 13 } })
    expect(readEntry(guest)).toMatchObject({ frameAt: ANCHORS.kstack - 0x40n, frame: { errorCode: 0n } })
    expect(guest.resume(1n)).toMatchObject({ entry: { vector: END_VECTOR } })
  })

  test('what the kernel asks Xen in between leaves no trace', () => {
    run([...UD2, ...END])
    const before = machine.hash()
    expect(askXen(guest)).toMatchObject({ gsBase: ANCHORS.gsk, kernelGsBase: ANCHORS.gsu, gsQword: MARKS.gsk })
    expect(machine.hash()).toBe(before)
  })

  test('a selector that cannot be loaded gives the vector of its fault, and the kernel goes on', () => {
    expect(loadSelector(guest, 'ds', 0x6bn)).toBe(11)
    expect(loadSelector(guest, 'es', 0x5bn)).toBeNull()
    writeQword(guest, ANCHORS.data, 5n)
    expect(readQword(guest, ANCHORS.data)).toBe(5n)
  })

  test('a pending event is delivered on the way to unmasked code, and the handler takes note of it', () => {
    expect(sendEvent(guest)).toBe(0n)
    expect(run(END)).toEqual({ kind: 'entry', entry: { kind: 'callback', name: 'event' } })
    expect(readEntry(guest)).toMatchObject({ upcallPending: 1, upcallMask: 1 })
    expect(guest.resume()).toMatchObject({ entry: { vector: END_VECTOR } })
    expect(readEntry(guest)).toMatchObject({ upcallPending: 0 })
  })

  test('of two NMIs the second waits for the iret hypercall of the first one’s handler', () => {
    expect(sendNmi(guest)).toBe(0n)
    expect(run(END)).toEqual({ kind: 'entry', entry: { kind: 'trap', vector: 2 } })
    expect(guest.resume()).toMatchObject({ entry: { vector: END_VECTOR } })
  })

  test('a callback is entered from user code; a trap table entry can be taken away alone', () => {
    const syscall = [0x0f, 0x05]
    expect(run([...syscall, ...END])).toEqual({ kind: 'entry', entry: { kind: 'callback', name: 'syscall' } })
    machine.restore(start)
    expect(registerCallback(guest, 'syscall', 0n, false)).toBe(0n)
    expect(run([...syscall, ...END])).toMatchObject({ entry: { vector: 6 } })
    machine.restore(start)
    expect(clearTrap(guest, 6)).toBe(0n)
    const entry = { vector: 0x20, dpl: 3, maskEvents: false, cs: FLAT_USER_CS64, address: vectorEntry(0x20) }
    expect(setTraps(guest, [entry])).toBe(0n)
    expect(run([0xcd, 0x20])).toMatchObject({ entry: { vector: 0x20 } })
  })

  test('a domain crash tells the reason, the exception without handler and the registers (P6)', () => {
    clearTrap(guest, 6)
    const stop = run(UD2)
    expect(stop).toMatchObject({
      kind: 'crash',
      crash: { reason: 'handler address is zero', unhandled: 'vec 6, #UD', rip: ANCHORS.code, ss: 0xe02bn },
    })
    expect(stop.kind === 'crash' && 'faultAddress' in stop.crash).toBe(false)
  })

  test('a piece that does not come to its end is an error that says where it stopped', () => {
    expect(() => readQword(guest, ANCHORS.nppage)).toThrow(GuestStopped)
    machine.restore(start)
    expect(() => readQword(guest, ANCHORS.nppage)).toThrow("read qword: the guest's handler of vector 0xe was entered")
  })
})
