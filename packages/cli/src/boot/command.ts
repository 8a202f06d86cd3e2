import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { hostArguments } from '../command/host-arguments.js'
import { terminalOf } from '../command/terminal-of.js'
import { CONFIG_OPTION } from '../config/config-of.js'

/** `trapframe boot` */
export const bootCommand = defineCommand({
  meta: { name: 'boot', description: "A host's choice of delivery, its log and what it programmed" },
  args: {
    ...hostArguments,
    ...CONFIG_OPTION,
    cmdline: { type: 'string', valueHint: 'TEXT', description: 'the host\'s command line: "fred=1 pv=no-32"' },
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
      config: args.config,
      json: args.json === true,
    })
  },
})
