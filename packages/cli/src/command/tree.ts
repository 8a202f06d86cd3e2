import type { CommandDef } from 'citty'

/** A command as the list of commands knows it: light, so that help and mistakes cost nothing. */
export interface CommandEntry {
  readonly summary: string
  /** How the operands are written: `FILE…`. */
  readonly operands: string
  /** How many operands there must be, and may be. */
  readonly count: readonly [least: number, most: number]
  /** Command line, and what it does. */
  readonly examples: readonly (readonly [line: string, what: string])[]
  // biome-ignore lint/suspicious/noExplicitAny: commands of all argument types, as in citty's own signature
  load(): Promise<CommandDef<any>>
}

const MANY = Number.POSITIVE_INFINITY

/** The commands of `trapframe`, in the order of its help. Each is loaded when it runs. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  run: {
    summary: 'run scenarios and check what they expect',
    operands: 'FILE…',
    count: [1, MANY],
    examples: [
      ['trapframe run scenarios/nmi-in-syscall-gap.yaml', 'one scenario, every cell of its matrix'],
      ['trapframe run scenarios/ --check', 'a folder, proving snapshot and restore on the way'],
      ['trapframe run gap.yaml --json', 'one JSON object on stdout'],
    ],
    load: async () => (await import('../run/command.js')).runCommand,
  },
  compare: {
    summary: 'the same scenario under IDT and FRED, side by side',
    operands: 'FILE',
    count: [1, 1],
    examples: [
      ['trapframe compare scenarios/nmi-in-syscall-gap.yaml', 'cells that differ only in their delivery'],
      ['trapframe compare gap.yaml --json', 'the same as data'],
    ],
    load: async () => (await import('../compare/command.js')).compareCommand,
  },
  interleave: {
    summary: 'a scenario with an event at every instruction boundary of ring 0',
    operands: 'FILE',
    count: [1, 1],
    examples: [
      ['trapframe interleave scenarios/xen/syscall-interleaved.yaml', 'NMI, #DB and #MC, at one boundary a run'],
      ['trapframe interleave gap.yaml --events nmi', 'some events'],
      ['trapframe interleave gap.yaml --json', 'counts, and every boundary where something is wrong, as data'],
    ],
    load: async () => (await import('../interleave/command.js')).interleaveCommand,
  },
  boot: {
    summary: "a host's choice of delivery with its reasons and log, and what it programmed",
    operands: '',
    count: [0, 0],
    examples: [
      ['trapframe boot --cpu panther-lake --cmdline "fred=1"', "Xen's decision, its log, MSRs, tables, TSS"],
      ['trapframe boot --cpu zen6 --revision upstream', 'as Xen decides today'],
      ['trapframe boot --cpu panther-lake,-lkgs --cmdline "fred=1 pv=32" --json', 'one JSON object on stdout'],
    ],
    load: async () => (await import('../boot/command.js')).bootCommand,
  },
  stack: {
    summary: "the stack map of a CPU, read back from a machine's MSRs, TSS and pages",
    operands: '',
    count: [0, 0],
    examples: [
      ['trapframe stack --cpu panther-lake --delivery fred', 'levels and guards under FRED'],
      ['trapframe stack --cpu panther-lake --delivery idt', 'IST stacks and poison under the IDT'],
      ['trapframe stack --cpu panther-lake --delivery fred --revision upstream', 'as Xen does it today'],
    ],
    load: async () => (await import('../stack/command.js')).stackCommand,
  },
  decode: {
    summary: "a FRED frame's 64 bytes or a kernel's panic line, explained",
    operands: '[TEXT…]',
    count: [0, MANY],
    examples: [
      ['dmesg | trapframe decode', "the kernel's last words, wherever they stand in its log"],
      ["trapframe decode 'invalid or fatal FRED event; event type 4 vector 2 …'", 'one line'],
      ['xxd -l 64 frame.bin | trapframe decode --json', 'a frame, in any common layout of hex, as data'],
    ],
    load: async () => (await import('../decode/command.js')).decodeCommand,
  },
  vectors: {
    summary: 'play conformance vectors recorded on other implementations',
    operands: 'FILE…',
    count: [1, MANY],
    examples: [
      ['trapframe vectors conformance/fred-bochs.jsonl.gz', 'a table by group'],
      ["trapframe vectors conformance/idt-bochs.jsonl.gz --group 'ret/*'", 'some groups'],
      ['trapframe vectors conformance/idt-bochs.jsonl.gz --json', 'totals, groups and failures as data'],
    ],
    load: async () => (await import('../vectors/command.js')).vectorsCommand,
  },
}
