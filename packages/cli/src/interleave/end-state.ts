import { type Machine, SEGMENT_WORDS, SEGMENTS } from '@trapframe/core'

const GENERAL_REGISTERS = 16
const SEGMENT_REGISTERS = 6

/** What a program sees of its CPUs at the end of a run: registers, flags, privilege, selectors and bases. */
export function endState(machine: Machine): string {
  return machine.cpus
    .map((cpu) =>
      [
        ...Array.from({ length: GENERAL_REGISTERS }, (_, n) => cpu.gpr(n)),
        cpu.rip,
        cpu.rflags,
        cpu.cpl,
        ...cpu.words.subarray(SEGMENTS, SEGMENTS + SEGMENT_REGISTERS * SEGMENT_WORDS),
        cpu.kernelGsBase,
      ].join(' '),
    )
    .join('\n')
}
