import {
  type Cpu,
  createMachine,
  type DeliveryStep,
  Fault,
  instructionEvent,
  PL0_SSP,
  SOFTWARE_INTERRUPT,
} from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { HOST_CODE, PAGE, shadowTop, stackTop } from '../flat/memory.js'
import { IA32_FRED_RSP0 } from '../msrs.js'
import { fred } from '../plugin.js'
import { DELIVERY_STEPS } from './delivery-steps.js'

const NOT_CANONICAL = 0x8000_0000_0000_0000n

/** What breaks a check of {@link DELIVERY_STEPS}, from which ring it shows, and the fault with its error code. */
interface Provocation {
  readonly from: 'guest' | 'host' | 'either'
  readonly fault: readonly [vector: number, errorCode: number]
  break(cpu: Cpu): void
}

/** In the order of the steps that can fail. INT n is delivered, so that EXT is 0. */
const PROVOCATIONS: readonly Provocation[] = [
  { from: 'guest', fault: [13, 0], break: (cpu) => cpu.set64(PL0_SSP, shadowTop(0, 0) - 4n) },
  {
    from: 'either',
    fault: [12, 0],
    break(cpu) {
      // as a restored image can have it: WRMSR refuses such a value (A14)
      cpu.set64(cpu.machine.msrs.get(IA32_FRED_RSP0)!.slot, NOT_CANONICAL)
      if (cpu.cpl === 0) cpu.rsp = NOT_CANONICAL
    },
  },
  { from: 'either', fault: [14, 0b10], break: (cpu) => cpu.space.unmap(stackTop(0, 0) - PAGE) },
  {
    from: 'host',
    fault: [13, 0],
    break(cpu) {
      cpu.ssp = NOT_CANONICAL
    },
  },
  { from: 'host', fault: [14, 0x42], break: (cpu) => cpu.space.unmap(shadowTop(0, 0) - PAGE) },
]

const checks = DELIVERY_STEPS.filter((step): step is Required<DeliveryStep> => step.fault !== undefined)
const ringsOf = ({ from }: Provocation) => (from === 'either' ? (['guest', 'host'] as const) : [from])

function ready(site: 'guest' | 'host'): Cpu {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred()] })
  machine.boot('flat-fred', { options: { shadowStacks: true } }).sites[site]!.enter(machine.cpu)
  return machine.cpu
}

/** The fault that delivery throws; every register must be as before. */
function refusal(cpu: Cpu): readonly [number, number] | null {
  const before = cpu.words.slice()
  try {
    cpu.mechanism!.deliver(cpu, instructionEvent(SOFTWARE_INTERRUPT, 0x80, 2))
    return null
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown
    expect(cpu.words).toEqual(before)
    return [thrown.vector, thrown.errorCode]
  }
}

describe('FRED delivery, step by step: each check has its fault, and the earlier one wins', () => {
  test('there is a way to break every check, and with nothing broken the event arrives', () => {
    expect(PROVOCATIONS.length).toBe(checks.length)
    for (const site of ['guest', 'host'] as const) expect(refusal(ready(site))).toBeNull()
  })

  test.each(checks.map(({ text }, i) => [text, i] as const))('%s', (_, i) => {
    const step = checks[i]!
    const provocation = PROVOCATIONS[i]!
    const wanted = [step.fault.vector, ...(step.fault.errorCode === undefined ? [] : [Number(step.fault.errorCode)])]
    expect(provocation.fault.slice(0, wanted.length)).toEqual(wanted)
    for (const site of ringsOf(provocation)) {
      const cpu = ready(site)
      provocation.break(cpu)
      expect(refusal(cpu)).toEqual(provocation.fault)
      for (const [j, later] of PROVOCATIONS.entries()) {
        if (j <= i || !ringsOf(later).includes(site)) continue
        const both = ready(site)
        later.break(both)
        provocation.break(both)
        expect([checks[j]!.text, refusal(both)]).toEqual([checks[j]!.text, provocation.fault])
      }
    }
  })

  test('what cannot fail does not, wherever tables and descriptors lead: no GDT, no code at the entry point', () => {
    const cpu = ready('guest')
    cpu.space.unmap(0x10_0000n)
    cpu.space.unmap(0x11_0000n)
    cpu.space.unmap(HOST_CODE)
    expect(refusal(cpu)).toBeNull()
  })
})
