import type { Cpu } from '@trapframe/core'
import { DELIVERING, FRAMES, ghostSlot } from './region.js'
import { forgetEnded } from './table.js'

/**
 * The step is over and checked: ended frames leave the table, and what was only noted on the way is cleared, so that
 * states reached on different ways are equal.
 */
export function settle(cpu: Cpu): void {
  const ghost = ghostSlot(cpu)
  forgetEnded(cpu.words, ghost)
  cpu.words.fill(0, ghost + DELIVERING, ghost + FRAMES)
}
