import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { PLUGIN_OPTIONS } from '../command/plugin-options.js'
import { terminalOf } from '../command/terminal-of.js'

/** `trapframe run FILE…` */
export const runCommand = defineCommand({
  meta: { name: 'run', description: 'Run scenarios and check what they expect' },
  args: {
    json: { type: 'boolean', description: 'print one JSON object' },
    check: { type: 'boolean', description: 'make every step twice, from a snapshot, and compare byte by byte' },
    ...PLUGIN_OPTIONS,
  },
  async run(context) {
    const { args, rawArgs } = context
    const { runFiles } = await import('./run-files.js')
    return runFiles(args._, terminalOf(context), {
      json: args.json === true,
      check: args.check === true,
      modules: repeated(rawArgs, 'plugin'),
      allowPlugins: args['allow-plugins'] === true,
    })
  },
})
