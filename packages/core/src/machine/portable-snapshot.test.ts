import { expect, test } from 'vitest'
import { pageFlags } from '../memory/access.js'
import { toyIsa } from '../testing/toy-isa.js'
import { toyMechanism } from '../testing/toy-mechanism.js'
import { createMachine, type Machine } from './machine.js'
import { packSnapshot, unpackSnapshot } from './portable-snapshot.js'

const make = (): Machine =>
  createMachine({ cpu: 'skylake', cpus: 2, plugins: [toyIsa(), toyMechanism({ entry: 0x2000n })] })

/** A machine in the middle of a run; `first` pages are mapped before the others, so that dense frame numbers differ. */
function running(first: bigint): Machine {
  const machine = make()
  const space = machine.space(0n)
  space.map(first, pageFlags('w'))
  space.map(0x1000n, pageFlags('wx'), 3)
  machine.space(0x5000n).map(0xffff_8300_0000_0000n, pageFlags('w'), 1, 0x9000n)
  space.write(0x1000n, Uint8Array.of(0x40, 0xcd, 0x21, 0x40, 0x90, 0xcd, 0x80, 0xf4))
  space.write(0x2000n, Uint8Array.of(0x40, 0xcf))
  machine.cpu.rip = 0x1000n
  machine.cpu.rsp = 0x4000n
  for (let i = 0; i < 3; i++) machine.step()
  return machine
}

test('a snapshot goes to another machine by a structured clone, and both go on identically', () => {
  const here = running(0x7000n)
  const sent = structuredClone(packSnapshot(here, here.snapshot()))
  const there = running(0x8000n)
  there.restore(unpackSnapshot(there, sent))
  expect(there.hash()).toBe(here.hash())
  for (let i = 0; i < 8; i++) {
    here.step()
    there.step()
    expect(there.hash()).toBe(here.hash())
  }
  expect(there.cpu.halted).toBe(true)
  expect(there.space(0n).flagsAt(0x8000n)).toBe(0)
  expect(there.space(0x5000n).pages()).toEqual(here.space(0x5000n).pages())
})

test('what the receiving machine wrote before is gone, and the sent bytes are not shared', () => {
  const here = running(0x7000n)
  const portable = packSnapshot(here, here.snapshot())
  const there = make()
  there.restore(unpackSnapshot(there, portable))
  there.space(0n).write(0x1000n, Uint8Array.of(0xff))
  there.restore(unpackSnapshot(there, portable))
  expect(there.space(0n).read(0x1000n, 1)[0]).toBe(0x40)
})

test('a machine of another layout refuses', () => {
  const here = running(0x7000n)
  const other = createMachine({
    cpu: 'skylake',
    plugins: [
      {
        name: 'acme',
        setup: (host) => void host.regions.declare({ name: 'acme/x', scope: 'cpu', bytes: 8, version: 1 }),
      },
    ],
  })
  expect(() => unpackSnapshot(other, packSnapshot(here, here.snapshot()))).toThrowError(/has layout .*, this machine/)
})
