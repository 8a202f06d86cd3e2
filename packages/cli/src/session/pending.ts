import { type Cpu, PENDING_ANY, PENDING_DEBUG, PENDING_INTERRUPTS, STATUS, takePendingEvent } from '@trapframe/core'

const INTERRUPT_WORDS = 8

/** Whether an event would be delivered to a CPU at this boundary: pending, and not blocked. Changes nothing. */
export function hasDeliverableEvent(cpu: Cpu): boolean {
  const { words } = cpu
  if ((words[STATUS]! & PENDING_ANY) === 0) return false
  const status = words[STATUS]!
  const debug = words[PENDING_DEBUG]!
  const interrupts = words.slice(PENDING_INTERRUPTS, PENDING_INTERRUPTS + INTERRUPT_WORDS)
  const event = takePendingEvent(cpu)
  words[STATUS] = status
  words[PENDING_DEBUG] = debug
  words.set(interrupts, PENDING_INTERRUPTS)
  return event !== null
}
