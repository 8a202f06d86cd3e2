import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { terminalOf } from '../command/terminal-of.js'

/** `trapframe stack` */
export const stackCommand = defineCommand({
  meta: { name: 'stack', description: 'The stack map of a CPU, read back from a machine' },
  args: {
    cpu: {
      type: 'string',
      default: 'panther-lake',
      valueHint: 'MODEL',
      description: 'a CPU model, with edits: panther-lake,-lkgs',
    },
    delivery: { type: 'string', valueHint: 'NAME', description: 'idt or fred; what the host chooses if left out' },
    host: { type: 'string', default: 'xen', valueHint: 'NAME', description: 'the host that sets the stacks up' },
    revision: { type: 'string', valueHint: 'NAME', description: 'of the host: rfc or upstream' },
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
    const { printStack } = await import('./print-stack.js')
    return printStack(terminalOf(context), {
      cpu: args.cpu,
      delivery: args.delivery,
      host: args.host,
      revision: args.revision,
      options: repeated(rawArgs, 'option'),
      modules: repeated(rawArgs, 'plugin'),
      json: args.json === true,
    })
  },
})
