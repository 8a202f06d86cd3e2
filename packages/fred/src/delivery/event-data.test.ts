import {
  type Cpu,
  createMachine,
  DR6,
  DR7,
  deliverEvent,
  Fault,
  pendDebugTrap,
  type RaisedEvent,
  raise,
  readMsr,
  takeFault,
  writeMsr,
} from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { readFrame } from '../frame/frame.js'
import { IA32_XFD, IA32_XFD_ERR } from '../msrs.js'
import { type FredOptions, fred } from '../plugin.js'
import { checkExtendedFeature } from './event-data.js'

function flat(options: FredOptions = {}): Cpu {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred(options)] })
  machine.boot('flat-fred')
  return machine.cpu
}

function dataOf(event: RaisedEvent, options: FredOptions = {}): bigint {
  const cpu = flat(options)
  raise(cpu, event)
  return readFrame(cpu).eventData
}

describe('event data (fred.md, Delivery, step 5)', () => {
  test('#PF: all 64 bits of the linear address', () => {
    const data = 0xffff_8123_4567_89abn
    expect(dataOf({ kind: 'hardwareException', vector: 14, errorCode: 0, eventData: data })).toBe(data)
  })

  test('#DB: the conditions, all positive, BD among them; DR6 and DR7.GD change as under the IDT', () => {
    const cpu = flat()
    cpu.setControl(DR7, 0x2400n)
    raise(cpu, { kind: 'hardwareException', vector: 1, eventData: 0x1_6803n })
    expect(readFrame(cpu).eventData).toBe(0x1_6803n)
    expect(cpu.get64(DR6) & 0xe00fn).toBe(0x6003n)
    expect(cpu.get64(DR7)).toBe(0x400n)
  })

  test('INT1 and INT 1 have vector 1 and are no #DB: 0, though a debug trap is pending', () => {
    for (const event of [{ kind: 'int1' } as const, { kind: 'softwareInterrupt', vector: 1 } as const]) {
      const cpu = flat()
      pendDebugTrap(cpu, 0x4000)
      raise(cpu, event)
      expect(readFrame(cpu).eventData).toBe(0n)
    }
  })

  test('other exceptions: 0, whatever comes with them', () => {
    for (const vector of [0, 3, 6, 8, 10, 13, 16, 17, 18, 21]) {
      expect(dataOf({ kind: 'hardwareException', vector, eventData: 0x1234n })).toBe(0n)
    }
  })

  test('F28: NMI sources only where the CPU reports them', () => {
    expect(dataOf({ kind: 'nmi', sources: 0x8000_0000_0000_0005n })).toBe(0n)
    expect(dataOf({ kind: 'nmi', sources: 0x8000_0000_0000_0005n }, { nmiSources: true })).toBe(0x8000_0000_0000_0005n)
  })
})

describe('#NM of a disabled extended feature', () => {
  const TILEDATA = 1n << 18n

  test('IA32_XFD names the component: #NM with it as event data, and in IA32_XFD_ERR', () => {
    const cpu = flat()
    writeMsr(cpu, IA32_XFD, TILEDATA)
    let fault: unknown
    try {
      checkExtendedFeature(cpu, TILEDATA | 4n)
    } catch (thrown) {
      fault = thrown
    }
    expect(fault).toBeInstanceOf(Fault)
    takeFault(cpu, fault as Fault)
    expect(readFrame(cpu)).toMatchObject({ vector: 7, type: 3, errorCode: 0, eventData: TILEDATA })
    expect(readMsr(cpu, IA32_XFD_ERR)).toBe(TILEDATA)
  })

  test('an enabled component raises nothing; #NM of CR0.TS has event data 0 and leaves IA32_XFD_ERR alone', () => {
    const cpu = flat()
    checkExtendedFeature(cpu, TILEDATA)
    raise(cpu, { kind: 'hardwareException', vector: 7 })
    expect(readFrame(cpu).eventData).toBe(0n)
    expect(readMsr(cpu, IA32_XFD_ERR)).toBe(0n)
  })
})

test('an error code of 32 bits is pushed whole, zero-extended', () => {
  const cpu = flat()
  deliverEvent(cpu, {
    type: 3,
    vector: 14,
    errorCode: 0x8000_0007 | 0,
    hasErrorCode: true,
    dataLo: 0,
    dataHi: 0,
    length: 0,
    nested: false,
  })
  expect(cpu.space.read64(cpu.rsp)).toBe(0x8000_0007n)
})
