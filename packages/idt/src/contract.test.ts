import { createMachine } from '@trapframe/core'
import { hostContract, mechanismContract } from '@trapframe/core/testing'
import { isa } from '@trapframe/isa'
import { describe, test } from 'vitest'
import { idt } from './plugin.js'

describe.each([{ shadowStacks: false }, { shadowStacks: true }])('IDT delivery keeps the contract, %o', (options) => {
  const checks = mechanismContract({
    mechanism: 'idt',
    setUp() {
      const machine = createMachine({ cpu: 'panther-lake', plugins: [idt(), isa()] })
      return { machine, places: machine.boot('flat-idt', { options }).sites }
    },
  })
  for (const { title, skip, run } of checks) test(title, { skip }, run)
})

describe('flat-idt keeps the contract of hosts', () => {
  const checks = hostContract({
    host: 'flat-idt',
    machine: () => createMachine({ cpu: 'panther-lake', cpus: 2, plugins: [idt(), isa()] }),
    requests: [{ delivery: 'idt' }, { options: { ist: false } }, { options: { shadowStacks: true } }],
  })
  for (const { title, skip, run } of checks) test(title, { skip }, run)
})
