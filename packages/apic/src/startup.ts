import { ARRIVING, type Cpu, defineSlot, type Slot, STATUS, UnsupportedError, WAIT_FOR_SIPI } from '@trapframe/core'
import { isBootstrap } from './mode.js'
import { resetLocalApic } from './reset.js'

/**
 * What a startup IPI starts. A CPU begins at `vector << 12` in real mode, which the model does not have; a host that has
 * a 64-bit continuation of its trampoline puts the CPU there.
 */
export type Startup = (cpu: Cpu, vector: number) => void

/** Who starts a CPU at a startup IPI; the first answer is taken. */
export const STARTUPS: Slot<Startup> = defineSlot('apic/startup', 'first')

/**
 * INIT: the CPU stops, forgets what was pending, and waits for a startup IPI. Its registers stay as they are, for it goes
 * on only where a {@link Startup} puts it.
 *
 * @throws UnsupportedError on the bootstrap processor, which would begin at the reset vector
 */
export function enterWaitForSipi(cpu: Cpu): void {
  if (isBootstrap(cpu)) {
    throw new UnsupportedError('event', 'INIT on the bootstrap processor starts it at the reset vector, in real mode')
  }
  resetLocalApic(cpu)
  cpu.words[STATUS] = (cpu.words[STATUS]! & ARRIVING) | WAIT_FOR_SIPI
}

/** A startup IPI. Nothing happens, and false is returned, unless the CPU waits for one. @throws UnsupportedError where no host says what starts */
export function startUp(cpu: Cpu, vector: number): boolean {
  if ((cpu.words[STATUS]! & WAIT_FOR_SIPI) === 0) return false
  const startup = cpu.machine.contributions(STARTUPS)[0]?.value
  if (startup === undefined) {
    throw new UnsupportedError('event', 'a startup IPI starts a CPU in real mode, which is not modelled', {
      hint: 'a plugin may give slot apic/startup what the CPU does instead',
    })
  }
  cpu.words[STATUS] = cpu.words[STATUS]! & ~WAIT_FOR_SIPI
  startup(cpu, vector)
  return true
}
