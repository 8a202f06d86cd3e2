import type { Cpu } from '@trapframe/core'

/** The delivery that the boot chose, as the mechanism of a CPU shows it: before the choice is made there is only the IDT. */
export const deliveryOf = (cpu: Cpu): 'idt' | 'fred' => (cpu.mechanism?.name === 'fred' ? 'fred' : 'idt')
