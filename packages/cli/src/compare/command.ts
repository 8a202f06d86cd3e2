import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { PLUGIN_OPTIONS } from '../command/plugin-options.js'
import { terminalOf } from '../command/terminal-of.js'

/** `trapframe compare FILE` */
export const compareCommand = defineCommand({
  meta: { name: 'compare', description: 'The same scenario under IDT and FRED, side by side' },
  args: {
    json: { type: 'boolean', description: 'print one JSON object' },
    ...PLUGIN_OPTIONS,
  },
  async run(context) {
    const { args, rawArgs } = context
    const { compareFile } = await import('./compare-file.js')
    return compareFile(args._[0]!, terminalOf(context), {
      json: args.json === true,
      modules: repeated(rawArgs, 'plugin'),
      allowPlugins: args['allow-plugins'] === true,
    })
  },
})
