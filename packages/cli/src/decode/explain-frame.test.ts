import { createMachine, type RaisedEvent, raise } from '@trapframe/core'
import { decodeFrame, type FredFrame, fred, readFrame } from '@trapframe/fred'
import { describe, expect, test } from 'vitest'
import { explainFrame, oddities } from './explain-frame.js'

const EVENTS: readonly RaisedEvent[] = [
  { kind: 'externalInterrupt', vector: 0x30 },
  { kind: 'nmi' },
  { kind: 'hardwareException', vector: 1, eventData: 0x4001n },
  { kind: 'hardwareException', vector: 8 },
  { kind: 'hardwareException', vector: 13, errorCode: 0x28 },
  { kind: 'hardwareException', vector: 14, errorCode: 6, eventData: 0xdead_b000n },
  { kind: 'softwareInterrupt', vector: 0x80 },
  { kind: 'int1' },
  { kind: 'int3' },
  { kind: 'into' },
  { kind: 'syscall' },
  { kind: 'sysenter' },
]

function delivered(site: 'guest' | 'host', event: RaisedEvent): FredFrame {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred()] })
  machine.boot('flat-fred').sites[site]!.enter(machine.cpu)
  raise(machine.cpu, event)
  return readFrame(machine.cpu)
}

describe('frames that the model delivered', () => {
  test.each(EVENTS.map((event) => [event.kind, event] as const))(
    '%s: nothing is odd about it, and every field of the frame is explained',
    (_, event) => {
      for (const site of ['guest', 'host'] as const) {
        const frame = delivered(site, event)
        expect(oddities(frame)).toEqual([])
        // errorCode … eventData: the typed view has as many
        expect(explainFrame(frame)).toHaveLength(Object.keys(frame).length)
      }
    },
  )
})

const GOOD = delivered('host', { kind: 'softwareInterrupt', vector: 0x80 })

test.each(
  (
    [
      [{ type: 1 }, /no event has type 1/],
      [{ length: 0 }, /length 0/],
      [{ type: 0, softwareEvent: false, rflags: 0x202n }, /no instruction asked for has length 2/],
      [{ softwareEvent: false }, /bit 17 of SS is 0/],
      [{ nmi: true }, /bit 18 of SS is 1 .*unblocks NMIs/],
      [{ type: 2, vector: 2, softwareEvent: false, length: 0 }, /leaves NMIs blocked/],
      [{ type: 7, vector: 3 }, /vector 1 or 2, and not 3/],
      [{ cs: 0x11 }, /ring 1/],
      [{ cs: 0x2b, ss: 0x23, stackLevel: 2 }, /ring 3 is on stack level 0/],
      [{ mode64: false }, /no compatibility mode/],
      [{ cs: 0x2b, ss: 0x20 }, /another RPL/],
      [{ rflags: 0n }, /bit 1 of RFLAGS/],
      [{ rflags: 0x20002n }, /do not exist in long mode/],
      [{ errorCode: 4 }, /no error code, and 0x4/],
      [{ eventData: 5n }, /no data, and 0x5/],
      [{ nested: true }, /only exceptions are nested/],
      [{ reserved: { errorCode: 0n, cs: 0n, ss: 0n, last: 1n } }, /have no meaning/],
    ] as [Partial<FredFrame>, RegExp][]
  ).map(([change, words]) => [Object.keys(change).join(', '), change, words] as const),
)('%s: odd', (_, change, words) => {
  expect(oddities({ ...GOOD, ...change }).join('\n')).toMatch(words)
})

test('64 zeros are no frame of any event', () => {
  expect(oddities(decodeFrame(new Uint8Array(64))).length).toBeGreaterThan(0)
})
