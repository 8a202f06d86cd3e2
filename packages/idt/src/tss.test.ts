import { createMachine, SEGMENT_LIMIT, segmentSlot, TR } from '@trapframe/core'
import { expect, test } from 'vitest'
import { idt } from './plugin.js'
import { encodeTss, readIst, readRsp } from './tss.js'

test('encodeTss and the readers agree on where RSP0–2 and IST1–7 lie (SDM 3A figure 8-11)', () => {
  const machine = createMachine({ cpu: 'skylake', plugins: [idt()] })
  machine.boot('flat-idt')
  const { cpu } = machine
  const rsp = [0x10n, 0x20n, 0x30n]
  const ist = [1n, 2n, 3n, 4n, 5n, 6n, 0xffff_8000_0000_0007n]
  cpu.space.write(cpu.segment(TR).base, encodeTss({ rsp, ist }))
  expect(([0, 1, 2] as const).map((ring) => readRsp(cpu, ring))).toEqual(rsp)
  expect([1, 2, 3, 4, 5, 6, 7].map((n) => readIst(cpu, n))).toEqual(ist)
  expect(cpu.space.read(cpu.segment(TR).base + 102n, 2)).toEqual(Uint8Array.of(104, 0))
})

test('beyond the limit of TR there is nothing to read', () => {
  const machine = createMachine({ cpu: 'skylake', plugins: [idt()] })
  machine.boot('flat-idt')
  machine.cpu.words[segmentSlot(TR) + SEGMENT_LIMIT] = 35 + 7
  expect(readIst(machine.cpu, 1)).toBeNull()
  expect(readRsp(machine.cpu, 2)).not.toBeNull()
})
