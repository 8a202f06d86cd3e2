import { expect, test } from 'vitest'
import { UnsupportedError } from '../error.js'
import { pageFlags } from '../memory/access.js'
import { toyIsa } from '../testing/toy-isa.js'
import { toyMechanism } from '../testing/toy-mechanism.js'
import { createMachine } from './machine.js'

function withRoutine(run: (address: bigint) => void) {
  const machine = createMachine({ cpu: 'skylake', plugins: [toyIsa(), toyMechanism({ entry: 0x2000n })] })
  machine.space(0n).map(0x1000n, pageFlags('x'))
  machine.bindRoutine(0x1000n, { name: 'do_something', run: ({ cpu }) => run(cpu.gpr(1)) })
  machine.cpu.rip = 0x1000n
  machine.cpu.setGpr(1, 0x7000n)
  return machine
}

test('a routine that follows an address to where nothing is mapped ends the run, by its name and the address', () => {
  const machine = withRoutine((address) => void machine.space(0n).read64(address))
  expect(() => machine.step()).toThrow(UnsupportedError)
  expect(() => machine.step()).toThrow('host routine do_something went where it cannot: nothing is mapped at 0x7000')
})

test('any other error of a routine is a defect of whoever wrote it, and stays what it is', () => {
  const machine = withRoutine(() => {
    throw new RangeError('an array too long')
  })
  expect(() => machine.step()).toThrow(RangeError)
})
