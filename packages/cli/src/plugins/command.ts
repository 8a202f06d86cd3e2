import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { JSON_OPTION } from '../command/json-option.js'
import { PLUGIN_OPTION } from '../command/plugin-options.js'
import { terminalOf } from '../command/terminal-of.js'
import { CONFIG_OPTION } from '../config/config-of.js'

/** `trapframe plugins` */
export const pluginsCommand = defineCommand({
  meta: { name: 'plugins', description: 'What is loaded, and what it contributes' },
  args: {
    ...JSON_OPTION,
    ...CONFIG_OPTION,
    ...PLUGIN_OPTION,
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
