import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { JSON_OPTION } from '../command/json-option.js'
import { FILE_OPTIONS, PLUGIN_OPTIONS } from '../command/plugin-options.js'
import { terminalOf } from '../command/terminal-of.js'
import { CONFIG_OPTION } from '../config/config-of.js'

/** `trapframe interleave FILE` */
export const interleaveCommand = defineCommand({
  meta: { name: 'interleave', description: 'A scenario with an event at every instruction boundary of ring 0' },
  args: {
    events: {
      type: 'string',
      default: 'nmi,db,mc',
      valueHint: 'LIST',
      description: 'events to inject, by name, between commas',
    },
    ...JSON_OPTION,
    ...CONFIG_OPTION,
    ...PLUGIN_OPTIONS,
    ...FILE_OPTIONS,
  },
  async run(context) {
    const { args, rawArgs } = context
    const { interleaveFile } = await import('./interleave-file.js')
    return interleaveFile(args._[0]!, terminalOf(context), {
      events: args.events.split(',').map((name) => name.trim()),
      json: args.json === true,
      modules: repeated(rawArgs, 'plugin'),
      config: args.config,
      allowPlugins: args['allow-plugins'] === true,
      allowFiles: args['allow-files'] === true,
    })
  },
})
