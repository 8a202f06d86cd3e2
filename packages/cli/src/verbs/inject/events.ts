import {
  advanceTime,
  choose,
  DR6_BREAKPOINTS,
  DR6_BS,
  EXTERNAL_INTERRUPT,
  eventName,
  pendDebugTrap,
  pendInterrupt,
  pendMachineCheck,
  pendNmi,
} from '@trapframe/core'
import { pageFaultEvent } from '@trapframe/explore'
import { z } from 'zod'
import { integer, text } from '../../scenario/schema.js'
import { injectionVerb } from '../slots.js'

const nothing = z.strictObject({})

/** `{ event: nmi }`: latched until NMIs are not blocked. */
export const NMI_INJECTION = injectionVerb({
  summary: 'a non-maskable interrupt',
  schema: nothing,
  describe: () => 'NMI',
  inject: (cpu) => pendNmi(cpu),
})

/** `{ event: mc }`. */
export const MACHINE_CHECK_INJECTION = injectionVerb({
  summary: 'a machine check',
  schema: nothing,
  describe: () => '#MC',
  inject: (cpu) => pendMachineCheck(cpu),
})

/** `{ event: interrupt, vector: 0x20 }`: waits for RFLAGS.IF. */
export const INTERRUPT_INJECTION = injectionVerb({
  summary: 'an external interrupt: vector',
  schema: z.strictObject({ vector: integer(0, 255) }),
  describe: ({ vector }) => eventName({ type: EXTERNAL_INTERRUPT, vector }),
  inject: (cpu, { vector }) => pendInterrupt(cpu, vector),
})

/** Debug conditions that can be pending: B3–B0 and BS, in DR6's layout, all positive. */
const CONDITIONS = DR6_BREAKPOINTS | DR6_BS

/** `{ event: db, conditions: 0x1 }`: a debug trap on the previous instruction. */
export const DEBUG_INJECTION = injectionVerb({
  summary: 'a debug trap: conditions (bits 3:0 and 14 of DR6; bit 0 unless given)',
  schema: z.strictObject({
    conditions: integer(1, CONDITIONS)
      .refine((value) => (value & ~CONDITIONS) === 0, {
        message: 'a debug trap has conditions in bits 3:0 and 14 only',
      })
      .default(1),
  }),
  describe: () => '#DB',
  inject: (cpu, { conditions }) => pendDebugTrap(cpu, conditions),
})

/** The longest time that can pass at once: about a day. */
const MOST_NANOSECONDS = 1e14

/** `{ event: time, ns: 1000000 }`: time passes, which it does not do by itself. No CPU is told. */
export const TIME_INJECTION = injectionVerb({
  summary: 'time passes: ns',
  schema: z.strictObject({ ns: integer(1, MOST_NANOSECONDS) }),
  describe: ({ ns }) => `${ns} ns pass`,
  inject: (cpu, { ns }) => advanceTime(cpu.machine, BigInt(ns)),
})

/** `{ event: pf, address: 0x500000 }`: the page is not there for one step. An instruction that needs it faults. */
export const PAGE_FAULT_INJECTION = injectionVerb({
  summary: 'a page is not there for one step: address',
  schema: z.strictObject({
    address: z
      .bigint()
      .gte(0n)
      .lt(1n << 64n),
  }),
  describe: ({ address }) => `#PF ${(address & ~0xfffn).toString(16)}`,
  inject: (cpu, { address }) => pageFaultEvent(address).inject(cpu),
})

/** `{ event: happening, name: timeout }`: what happens outside of the CPUs, and may happen now. */
export const HAPPENING_INJECTION = injectionVerb({
  summary: 'what may happen outside of the CPUs: name, such as timeout',
  schema: z.strictObject({ name: text }),
  describe: ({ name }) => name,
  inject: ({ machine }, { name }) => {
    choose(machine, { kind: 'happening', name })
  },
})
