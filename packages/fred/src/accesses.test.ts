import { type Accesses, countAccesses, createMachine, type RaisedEvent, raise } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { fred } from './plugin.js'

function accesses(site: 'guest' | 'host', event: RaisedEvent, shadowStacks = false): Accesses {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred()] })
  machine.boot('flat-fred', { options: { shadowStacks } }).sites[site]!.enter(machine.cpu)
  return countAccesses(machine, () => raise(machine.cpu, event))
}

const EVENTS: readonly RaisedEvent[] = [
  { kind: 'softwareInterrupt', vector: 0x80 },
  { kind: 'externalInterrupt', vector: 0x30 },
  { kind: 'nmi' },
  { kind: 'hardwareException', vector: 14, errorCode: 4 },
  { kind: 'syscall' },
]

describe('A15: what one FRED delivery reads and writes', () => {
  test.each(EVENTS)('$kind: eight quadwords written and nothing read, from either ring', (event) => {
    const expected = { read: { count: 0, bytes: 0 }, written: { count: 8, bytes: 64 } }
    expect(accesses('guest', event)).toEqual(expected)
    expect(accesses('host', event)).toEqual(expected)
  })

  test('shadow stacks: nothing more from ring 3; in ring 0 the alignment word and three quadwords, and still no read', () => {
    const event = EVENTS[0]!
    expect(accesses('guest', event, true).written).toEqual({ count: 8, bytes: 64 })
    expect(accesses('host', event, true)).toEqual({ read: { count: 0, bytes: 0 }, written: { count: 12, bytes: 92 } })
  })
})
