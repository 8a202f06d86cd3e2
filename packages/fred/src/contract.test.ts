import { createMachine, instructionEvent, OTHER_EVENT } from '@trapframe/core'
import { CONTRACT_EVENTS, hostContract, mechanismContract } from '@trapframe/core/testing'
import { isa } from '@trapframe/isa'
import { describe, test } from 'vitest'
import { fred } from './plugin.js'

describe.each([{ shadowStacks: false }, { shadowStacks: true }])('FRED delivery keeps the contract, %o', (options) => {
  const checks = mechanismContract({
    mechanism: 'fred',
    setUp() {
      const machine = createMachine({ cpu: 'panther-lake', plugins: [fred(), isa()] })
      return { machine, places: machine.boot('flat-fred', { options }).sites }
    },
    events: [...CONTRACT_EVENTS, instructionEvent(OTHER_EVENT, 1, 2), instructionEvent(OTHER_EVENT, 2, 2)],
  })
  for (const { title, skip, run } of checks) test(title, { skip }, run)
})

describe('flat-fred keeps the contract of hosts', () => {
  const checks = hostContract({
    host: 'flat-fred',
    machine: () => createMachine({ cpu: 'panther-lake', cpus: 2, plugins: [fred(), isa()] }),
    requests: [{ delivery: 'fred' }, { options: { shadowStacks: true } }],
  })
  for (const { title, skip, run } of checks) test(title, { skip }, run)
})
