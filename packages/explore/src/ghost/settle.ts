import type { Cpu } from '@trapframe/core'
import { COUNT, GHOST_END, NOTED, STEP_NOTES } from './region.js'
import { forgetEnded } from './table.js'

/**
 * The step is over and checked: ended frames leave the table, and what was only noted on the way is cleared, so that
 * states reached on different ways are equal. `ghost` is the first word of the CPU's ghost region.
 */
export function settleAt(cpu: Cpu, ghost: number): void {
  const { words } = cpu
  if (words[ghost + COUNT] !== 0) forgetEnded(words, ghost)
  if (words[ghost + NOTED] === 0) return
  words[ghost + NOTED] = 0
  words.fill(0, ghost + STEP_NOTES, ghost + GHOST_END)
}
