import { describe, expect, test } from 'vitest'
import { createMachine } from '../machine/machine.js'
import { pageFlags } from '../memory/access.js'
import { CR2, DR6 } from '../state/registers.js'
import { toyMechanism } from '../testing/toy-mechanism.js'
import type { CpuEvent } from './event.js'
import { type RaisedEvent, raise } from './raise.js'

/** Raises an event at 1000h; what the mechanism was given, and the RIP that it saved. */
function raised(event: RaisedEvent): { event: CpuEvent; rip: bigint; cr2: bigint; dr6: bigint } {
  const machine = createMachine({ cpu: 'skylake', plugins: [toyMechanism({ entry: 0x2000n })] })
  const { cpu } = machine
  machine.space(0n).map(0x3000n, pageFlags('w'))
  cpu.rip = 0x1000n
  cpu.rsp = 0x4000n
  const delivered: CpuEvent[] = []
  machine.observe({ delivered: (_cpu, one) => void delivered.push(one) })
  raise(cpu, event)
  expect(delivered).toHaveLength(1)
  return { event: delivered[0]!, rip: cpu.space.read64(cpu.rsp), cr2: cpu.get64(CR2), dr6: cpu.get64(DR6) }
}

describe('raise: events by kind', () => {
  test.each([
    [{ kind: 'externalInterrupt', vector: 0x20 }, 0, 0x20, 0],
    [{ kind: 'nmi' }, 2, 2, 0],
    [{ kind: 'hardwareException', vector: 6 }, 3, 6, 0],
    [{ kind: 'softwareInterrupt', vector: 0x80 }, 4, 0x80, 2],
    [{ kind: 'softwareInterrupt', vector: 0x80, length: 5 }, 4, 0x80, 5],
    [{ kind: 'int1' }, 5, 1, 1],
    [{ kind: 'int3' }, 6, 3, 1],
    [{ kind: 'into' }, 6, 4, 1],
    [{ kind: 'syscall' }, 7, 1, 2],
    [{ kind: 'sysenter', length: 3 }, 7, 2, 3],
  ] as const)(
    '%o: type %i, vector %i, length %i, which is how far the saved RIP is from here',
    (event, type, vector, length) => {
      const { event: delivered, rip } = raised(event)
      expect(delivered).toEqual({
        type,
        vector,
        length,
        errorCode: 0,
        hasErrorCode: false,
        dataLo: 0,
        dataHi: 0,
        nested: false,
      })
      expect(rip).toBe(0x1000n + BigInt(length))
    },
  )

  test('#PF: error code and address, which goes to CR2', () => {
    const { event, cr2 } = raised({
      kind: 'hardwareException',
      vector: 14,
      errorCode: 6,
      eventData: 0xffff_8000_dead_b000n,
    })
    expect(event).toMatchObject({ errorCode: 6, hasErrorCode: true, dataLo: 0xdead_b000 | 0, dataHi: 0xffff_8000 | 0 })
    expect(cr2).toBe(0xffff_8000_dead_b000n)
  })

  test('#DB: its conditions go to DR6; #GP without a given error code has 0', () => {
    expect(raised({ kind: 'hardwareException', vector: 1, eventData: 0x4001n }).dr6).toBe(0xffff_4ff1n)
    expect(raised({ kind: 'hardwareException', vector: 13 }).event).toMatchObject({ errorCode: 0, hasErrorCode: true })
  })

  test('the sources of an NMI', () => {
    expect(raised({ kind: 'nmi', sources: 0x8000_0000_0000_0001n }).event).toMatchObject({
      dataLo: 1,
      dataHi: 0x8000_0000 | 0,
    })
  })

  test.each([
    [{ kind: 'externalInterrupt', vector: 256 }, 'vector 256 is not possible'],
    [{ kind: 'softwareInterrupt', vector: -1 }, 'vector -1 is not possible'],
    [{ kind: 'hardwareException', vector: 32 }, 'exception vector 32 is not possible'],
    [{ kind: 'hardwareException', vector: 6, errorCode: 0 }, '#UD has no error code, and 0 was given'],
    [{ kind: 'hardwareException', vector: 13, errorCode: 0.5 }, 'error code 0.5 is not possible'],
    [{ kind: 'int3', length: 16 }, 'instruction length 16 is not possible'],
  ] as const)('%o cannot be: %s', (event, message) => {
    expect(() => raised(event)).toThrow(message)
  })

  test('without a mechanism it is an error, like any other event', () => {
    const { cpu } = createMachine({ cpu: 'skylake' })
    expect(() => raise(cpu, { kind: 'nmi' })).toThrow('no delivery mechanism is active')
  })
})
