import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { hostArguments } from '../command/host-arguments.js'
import { terminalOf } from '../command/terminal-of.js'
import { CONFIG_OPTION } from '../config/config-of.js'

/** `trapframe stack` */
export const stackCommand = defineCommand({
  meta: { name: 'stack', description: 'The stack map of a CPU, read back from a machine' },
  args: {
    ...hostArguments,
    ...CONFIG_OPTION,
    delivery: { type: 'string', valueHint: 'NAME', description: 'idt or fred; what the host chooses if left out' },
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
      config: args.config,
      json: args.json === true,
    })
  },
})
