import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { JSON_OPTION } from '../command/json-option.js'
import { FILE_OPTIONS, PLUGIN_OPTIONS } from '../command/plugin-options.js'
import { terminalOf } from '../command/terminal-of.js'
import { CONFIG_OPTION } from '../config/config-of.js'
import { CLOSER_OPTIONS, closerOf } from '../follow/options.js'

/** `trapframe compare FILE` */
export const compareCommand = defineCommand({
  meta: { name: 'compare', description: 'The same scenario under IDT and FRED, side by side' },
  args: {
    ...JSON_OPTION,
    ...CLOSER_OPTIONS,
    ...CONFIG_OPTION,
    ...PLUGIN_OPTIONS,
    ...FILE_OPTIONS,
  },
  async run(context) {
    const { args, rawArgs } = context
    const { compareFile } = await import('./compare-file.js')
    const terminal = terminalOf(context)
    return compareFile(args._[0]!, terminal, {
      json: args.json === true,
      closer: closerOf(args, terminal, args.json === true),
      modules: repeated(rawArgs, 'plugin'),
      config: args.config,
      allowPlugins: args['allow-plugins'] === true,
      allowFiles: args['allow-files'] === true,
    })
  },
})
