import { createMachine } from '@trapframe/core'
import { hostContract } from '@trapframe/core/testing'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { describe, test } from 'vitest'
import { linux } from './plugin.mjs'

describe('linux keeps the contract of hosts', () => {
  const checks = hostContract({
    host: 'linux',
    machine: () => createMachine({ cpu: 'panther-lake', cpus: 2, plugins: [isa(), idt(), fred(), linux] }),
  })
  for (const { title, skip, run } of checks) test(title, { skip }, run)
})
