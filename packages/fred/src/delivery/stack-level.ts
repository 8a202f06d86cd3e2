import {
  type Cpu,
  type CpuEvent,
  EXTERNAL_INTERRUPT,
  HARDWARE_EXCEPTION,
  NMI,
  PRIVILEGED_SOFTWARE_EXCEPTION,
  SOFTWARE_EXCEPTION,
  VECTOR_DF,
} from '@trapframe/core'
import { CONFIG_INTERRUPT_LEVEL_SHIFT, type FredSlots } from '../msrs.js'

/**
 * The stack level that an event asks for (SDM 3A 8.2.2, A10, A11). From ring 3 it is 0, but for #DF and for an exception
 * met during a delivery, which follow ring 0's rules: maskable interrupts have one level together, NMI, exceptions,
 * INT1, INT3 and INTO one for each vector, everything that software raises otherwise has 0.
 */
export function eventStackLevel(cpu: Cpu, slots: FredSlots, event: CpuEvent, fromRing3: boolean): number {
  const { type, vector } = event
  if (fromRing3 && !event.nested && (type !== HARDWARE_EXCEPTION || vector !== VECTOR_DF)) return 0
  switch (type) {
    case EXTERNAL_INTERRUPT:
      return (cpu.words[slots.config]! >>> CONFIG_INTERRUPT_LEVEL_SHIFT) & 3
    case NMI:
    case HARDWARE_EXCEPTION:
    case PRIVILEGED_SOFTWARE_EXCEPTION:
    case SOFTWARE_EXCEPTION:
      // two bits a vector, 0–31: sixteen vectors a word
      return (cpu.words[slots.stackLevels + ((vector >>> 4) & 1)]! >>> (2 * (vector & 15))) & 3
    default:
      return 0
  }
}
