import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { terminalOf } from '../command/terminal-of.js'

/** `trapframe boot` */
export const bootCommand = defineCommand({
  meta: { name: 'boot', description: "A host's choice of delivery, its log and what it programmed" },
  args: {
    cpu: {
      type: 'string',
      default: 'panther-lake',
      valueHint: 'MODEL',
      description: 'a CPU model, with edits: panther-lake,-lkgs',
    },
    cmdline: { type: 'string', valueHint: 'TEXT', description: 'the host\'s command line: "fred=1 pv=no-32"' },
    revision: { type: 'string', valueHint: 'NAME', description: 'of the host: rfc or upstream' },
    host: { type: 'string', default: 'xen', valueHint: 'NAME', description: 'the host that boots' },
    option: { type: 'string', valueHint: 'NAME=VALUE', description: 'an option of the host (may be repeated)' },
    json: { type: 'boolean', description: 'print one JSON object' },
    plugin: {
      type: 'string',
      valueHint: 'MODULE',
      description: 'load a plugin: a path or a package (may be repeated)',
    },
  },
  async run(context) {
    const { args, rawArgs } = context
    const { printBoot } = await import('./print-boot.js')
    return printBoot(terminalOf(context), {
      cpu: args.cpu,
      cmdline: args.cmdline,
      revision: args.revision,
      host: args.host,
      options: repeated(rawArgs, 'option'),
      modules: repeated(rawArgs, 'plugin'),
      json: args.json === true,
    })
  },
})
