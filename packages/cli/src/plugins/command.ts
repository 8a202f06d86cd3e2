import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { terminalOf } from '../command/terminal-of.js'
import { CONFIG_OPTION } from '../config/config-of.js'

/** `trapframe plugins` */
export const pluginsCommand = defineCommand({
  meta: { name: 'plugins', description: 'What is loaded, and what it contributes' },
  args: {
    json: { type: 'boolean', description: 'print one JSON object' },
    ...CONFIG_OPTION,
    plugin: {
      type: 'string',
      valueHint: 'MODULE',
      description: 'load a plugin: a path or a package (may be repeated)',
    },
  },
  async run(context) {
    const { args, rawArgs } = context
    const { printPlugins } = await import('./print-plugins.js')
    return printPlugins(terminalOf(context), {
      config: args.config,
      modules: repeated(rawArgs, 'plugin'),
      json: args.json === true,
    })
  },
})
