import { createMachine } from '@trapframe/core'
import { hostContract } from '@trapframe/core/testing'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { describe, test } from 'vitest'
import { xen } from './plugin.js'

describe('xen keeps the contract of hosts', () => {
  const checks = hostContract({
    host: 'xen',
    machine: () => createMachine({ cpu: 'panther-lake', cpus: 2, plugins: [isa(), idt(), fred(), xen()] }),
    requests: [
      { delivery: 'idt' },
      { delivery: 'fred' },
      { delivery: 'idt', options: { revision: 'upstream' } },
      { delivery: 'fred', options: { revision: 'upstream' } },
    ],
  })
  for (const { title, skip, run } of checks) test(title, { skip }, run)
})
