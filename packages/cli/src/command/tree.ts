import type { CommandEntry } from './entry.js'

const MANY = Number.POSITIVE_INFINITY

/** The commands of `trapframe`, in the order of its help. Each is loaded when it runs. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  run: {
    summary: 'run scenarios and check what they expect',
    operands: '[FILE…]',
    count: [0, MANY],
    examples: [
      ['trapframe run scenarios/nmi-in-syscall-gap.yaml', 'one scenario, every cell of its matrix'],
      ['trapframe run scenarios/ --check', 'a folder, proving snapshot and restore on the way'],
      ["trapframe run 'scenarios/**/nmi-*.yaml' --cell delivery=fred", 'what a glob matches, and some cells of it'],
      ['trapframe run scenarios/ -t X7 --bail', 'what cites X7, up to the first failure'],
      ['trapframe run scenarios/ --reporter junit=out.xml', "JUnit's XML for a CI system, beside the usual"],
      ['trapframe run gap.yaml --watch', 'again at every change'],
      ['trapframe run gap.yaml --explain', 'each delivery in words'],
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
      ['trapframe compare gap.yaml --html gap.html', 'a page that steps through both, stacks as pictures'],
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
  explore: {
    summary: 'every event at every instruction boundary, nested, and the shortest way to break an invariant',
    operands: 'FILE…',
    count: [1, MANY],
    examples: [
      ['trapframe explore scenarios/explore/nmi-handler.yaml', 'what its "explore" section says, in every cell'],
      ['trapframe explore gap.yaml --events nmi,db,pf:guest_data --depth 3', 'other events, three on one path'],
      ['trapframe explore gap.yaml --cell delivery=fred --coverage', 'some cells; which boundaries were hit with what'],
      ['trapframe explore gap.yaml --explain --html way.html', 'the counterexamples in words, and as a page'],
      ['trapframe explore gap.yaml --checkpoint gap.checkpoint', 'then: --resume gap.checkpoint'],
      [
        'trapframe explore gap.yaml --queue redis://HOST',
        'by any number of: trapframe explore worker --queue redis://HOST',
      ],
      ['trapframe explore gap.yaml --json', 'one JSON object on stdout'],
    ],
    load: async () => (await import('../explore/command.js')).exploreCommand,
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
  init: {
    summary: 'a scenario or a plugin package to begin with',
    operands: 'scenario|plugin NAME',
    count: [2, 2],
    examples: [
      ['trapframe init scenario my-case', 'my-case.yaml, which runs at once, under every delivery of Xen'],
      ['trapframe init scenario cases/gap --host flat-idt', 'on another host'],
      ['trapframe init plugin acme-random', 'a package in acme-random/: an MSR, an instruction, an invariant, tests'],
    ],
    load: async () => (await import('../init/command.js')).initCommand,
  },
  plugins: {
    summary: 'the plugins that are loaded, and what each contributes',
    operands: '',
    count: [0, 0],
    examples: [
      ['trapframe plugins', "trapframe's own, and those of the config"],
      ['trapframe plugins --plugin ./dist/index.js', 'whether a plugin fits, and with whom it clashes'],
      ['trapframe plugins --json', 'the same as data'],
    ],
    load: async () => (await import('../plugins/command.js')).pluginsCommand,
  },
  doctor: {
    summary: 'whether this installation is sound: versions, one core, config, plugins, schema',
    operands: '',
    count: [0, 0],
    examples: [
      ['trapframe doctor', 'the exit code is 1 where something is to be mended'],
      ['trapframe doctor --plugin ./dist/index.js', 'with a plugin that no config names'],
      ['trapframe doctor --json', 'the findings as data'],
    ],
    load: async () => (await import('../doctor/command.js')).doctorCommand,
  },
  schema: {
    summary: 'the JSON Schema of scenarios, for editors',
    operands: '',
    count: [0, 0],
    examples: [
      [
        'trapframe schema > scenario.schema.json',
        'then, in a scenario: # yaml-language-server: $schema=scenario.schema.json',
      ],
      ['trapframe schema --plugin ./plugin.mjs', 'with the words that a plugin adds'],
    ],
    load: async () => (await import('../schema/command.js')).schemaCommand,
  },
  completion: {
    summary: 'a script with which a shell completes command lines',
    operands: 'SHELL',
    count: [1, 1],
    examples: [
      ['source <(trapframe completion bash)', 'in ~/.bashrc; zsh is the same in ~/.zshrc'],
      ['trapframe completion fish > ~/.config/fish/completions/trapframe.fish', 'once'],
    ],
    load: async () => (await import('../completion/command.js')).completionCommand(COMMANDS),
  },
}
