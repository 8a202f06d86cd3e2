import { expect, test } from 'vitest'
import { createMachine } from '../machine/machine.js'
import { toyIsa } from '../testing/toy-isa.js'
import { toyMechanism } from '../testing/toy-mechanism.js'
import type { InitialState } from './driver.js'
import { machineDriver } from './machine-driver.js'

const driver = () =>
  machineDriver(createMachine({ cpu: 'skylake', plugins: [toyIsa(), toyMechanism({ entry: 0x2000n })] }))

/** A state to start from: what a fresh machine reads as, with code at 1000h and a handler at 2000h. */
function state(code: readonly number[], changes: Partial<InitialState> = {}): InitialState {
  const registers = driver().read()
  return {
    ...registers,
    gpr: { ...registers.gpr, rsp: 0x4000n },
    rip: 0x1000n,
    pages: [{ address: 0x1000n, count: 3, flags: 'wx' }],
    memory: [
      { address: 0x1000n, bytes: Uint8Array.from(code) },
      { address: 0x2000n, bytes: Uint8Array.of(0xf4) },
    ],
    ...changes,
  }
}

test('a run ends at HLT, with RIP the address of that HLT', () => {
  const model = driver()
  model.load(state([0x40, 0x90, 0xf4]))
  const executed: string[] = []
  expect(model.run(16, (mnemonic) => executed.push(mnemonic))).toBe('halted')
  expect(model.read()).toMatchObject({ rip: 0x1002n, gpr: { rax: 1n } })
  expect(executed).toEqual(['bump', 'nop', 'hlt'])
})

test('an injected NMI is pending before the first instruction, and NMIs are blocked afterwards', () => {
  const model = driver()
  model.load(state([0x40, 0xf4]))
  model.inject({ type: 'nmi' })
  expect(model.run(16)).toBe('halted')
  expect(model.read()).toMatchObject({ rip: 0x2000n, gpr: { rax: 0n }, blocking: { nmi: true } })
  expect(model.readMemory(0x3ff0n, 2)).toEqual(Uint8Array.of(0x00, 0x10))
})

test('what does not end within the limit is said to be running', () => {
  const model = driver()
  model.load(state(new Array(32).fill(0x90)))
  expect(model.run(16)).toBe('running')
})

test('load forgets everything that an earlier vector left', () => {
  const model = driver()
  model.load(state([0x40, 0xf4]))
  model.run(16)
  model.load(state([0xf4], { pages: [{ address: 0x1000n, count: 2, flags: 'wx' }] }))
  expect(model.read().gpr.rax).toBe(0n)
  expect(() => model.readMemory(0x3ff0n, 2)).toThrow('nothing is mapped')
})
