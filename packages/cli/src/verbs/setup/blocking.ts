import { STATUS } from '@trapframe/core'
import { BLOCKED, BLOCKING_SCHEMA } from '../blocking.js'
import { setupVerb } from '../slots.js'

/** `blocking: nmi`: as after a VM exit for an NMI, say. */
export const SET_BLOCKING = setupVerb({
  summary: 'what holds events back: nmi, sti, mov-ss',
  schema: BLOCKING_SCHEMA,
  apply(reasons, { cpu }) {
    for (const [name, bit] of Object.entries(BLOCKED)) {
      cpu.words[STATUS] = (cpu.words[STATUS]! & ~bit) | (reasons.includes(name as keyof typeof BLOCKED) ? bit : 0)
    }
  },
})
