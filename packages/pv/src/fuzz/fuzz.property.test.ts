import { createMachine } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { xen } from '@trapframe/xen'
import { describe, expect, test } from 'vitest'
import type { HostChecks } from '../host-checks.js'
import { pv } from '../plugin.js'
import { DEFECTS } from './defects.js'
import { Fuzzer, printFinding } from './fuzz.js'

const fuzzer = (checks: Partial<HostChecks> = {}): Fuzzer =>
  new Fuzzer(() => {
    const plugins = [isa(), idt(), fred({ int1Conditions: 'pending' }), xen(), pv({ checks })]
    return createMachine({ cpu: 'panther-lake', cpus: 2, plugins })
  })

/** Those that a few cases find; .ci/pv-fuzz.mjs has the cases that the others take. */
const QUICK = ['canonical', 'gs-logic', 'gs-swap', 'rpl', 'stack-range', 'rflags']

describe('P6: a guest that means harm', () => {
  test('does none to a hypervisor with all its checks', { timeout: 60_000 }, () => {
    const { finding, program } = fuzzer().fuzz({ seed: 7, cases: 100 })
    expect(finding === null ? [] : printFinding(finding, program!)).toEqual([])
  })

  test.each(DEFECTS.filter(({ name }) => QUICK.includes(name)))(
    'is noticed where the hypervisor has lost a check: $name',
    { timeout: 60_000 },
    ({ checks }) => {
      const { finding } = fuzzer(checks).fuzz({ seed: 1, cases: 300, shrink: false })
      expect(finding).not.toBeNull()
    },
  )
})
