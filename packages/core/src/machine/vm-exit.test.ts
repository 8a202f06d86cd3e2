import { expect, test } from 'vitest'
import { pendNmi } from '../event/pending.js'
import { pageFlags } from '../memory/access.js'
import { STATUS } from '../state/registers.js'
import { BLOCKED_BY_NMI, BLOCKED_BY_STI } from '../state/status.js'
import { toyIsa } from '../testing/toy-isa.js'
import { toyMechanism } from '../testing/toy-mechanism.js'
import { createMachine } from './machine.js'
import { loadHostState } from './vm-exit.js'

function guestAtCpl3(): { machine: ReturnType<typeof createMachine>; events: string[] } {
  const machine = createMachine({ cpu: 'skylake', plugins: [toyIsa(), toyMechanism({ entry: 0x2000n })] })
  machine.space(0n).map(0x1000n, pageFlags('wx'), 3)
  machine.space(0n).write(0x1000n, Uint8Array.of(0x90, 0x90, 0x90))
  machine.cpu.setCpl(3)
  const events: string[] = []
  machine.trace.on('event', ({ event }) => void events.push(event))
  return { machine, events }
}

test('A4: a VM exit loads the host’s state, and no delivery mechanism takes part', () => {
  const { machine, events } = guestAtCpl3()
  const { cpu } = machine
  cpu.rflags = 0xffffn
  cpu.words[STATUS] = BLOCKED_BY_STI
  loadHostState(cpu, { rip: 0x1000n, rsp: 0x3ff0n, gsBase: 0x1234n })
  expect(events).toEqual([])
  expect(cpu).toMatchObject({ rip: 0x1000n, rsp: 0x3ff0n, gsBase: 0x1234n, rflags: 2n, cpl: 0 })
  expect(cpu.words[STATUS]).toBe(0)
})

test('an NMI exit leaves NMIs blocked: the next one stays latched (F1, F4)', () => {
  const { machine, events } = guestAtCpl3()
  loadHostState(machine.cpu, { rip: 0x1000n, rsp: 0x3ff0n, nmiExit: true })
  pendNmi(machine.cpu)
  machine.step()
  expect(events).toEqual([])
  machine.cpu.words[STATUS] = machine.cpu.words[STATUS]! & ~BLOCKED_BY_NMI
  machine.step()
  expect(events).toEqual(['NMI'])
})
