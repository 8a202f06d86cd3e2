import { z } from 'zod'
import { plural } from '../../report/plural.js'
import { integer } from '../../scenario/schema.js'
import { OUTCOMES } from '../../session/cell-run.js'
import { DELIVERY_VIEWS, expectationVerb } from '../slots.js'

/** `outcome: done`: of the run, or of a CPU where the expectation names one. */
export const OUTCOME = expectationVerb({
  summary: `how the run ends: ${OUTCOMES.join(', ')}`,
  schema: z.enum(OUTCOMES),
  bind: (wanted, { cpu, cpuGiven }) => ({
    verdict(run) {
      const outcome = cpuGiven ? run.outcomes[cpu.id]! : run.outcome
      const steps = plural(run.steps, 'step')
      return {
        holds: outcome === wanted,
        expected: `outcome ${wanted}`,
        actual: `${outcome} after ${steps}, RIP at ${run.nameOf(cpu.rip)}`,
      }
    },
  }),
})

/** `cpl: 3`. */
export const PRIVILEGE = expectationVerb({
  summary: 'the privilege level at the end, 0 or 3',
  schema: integer(0, 3),
  bind: (wanted, { cpu }) => ({
    verdict: () => ({ holds: cpu.cpl === wanted, expected: `CPL ${wanted} at the end`, actual: `CPL ${cpu.cpl}` }),
  }),
})

/** `stackLevel: 0`. */
export const STACK_LEVEL = expectationVerb({
  summary: 'the stack level at the end, 0 to 3, under a delivery that has them',
  schema: integer(0, 3),
  bind: (wanted, { cpu, machine }) => ({
    verdict() {
      const name = cpu.mechanism?.name
      const view = machine.contributions(DELIVERY_VIEWS).find((one) => one.name === name)?.value
      const level = view?.stackLevel?.(cpu)
      return {
        holds: level === wanted,
        expected: `stack level ${wanted} at the end`,
        actual: level === undefined ? `${name ?? 'no mechanism'} has no stack levels` : `stack level ${level}`,
      }
    },
  }),
})
