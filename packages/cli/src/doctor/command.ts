import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { JSON_OPTION } from '../command/json-option.js'
import { terminalOf } from '../command/terminal-of.js'
import { CONFIG_OPTION } from '../config/config-of.js'

/** `trapframe doctor` */
export const doctorCommand = defineCommand({
  meta: { name: 'doctor', description: 'Whether this installation is sound' },
  args: {
    ...JSON_OPTION,
    ...CONFIG_OPTION,
    plugin: {
      type: 'string',
      valueHint: 'MODULE',
      description: 'examine a plugin too: a path or a package (may be repeated)',
    },
  },
  async run(context) {
    const { args, rawArgs } = context
    const { printDoctor } = await import('./print-doctor.js')
    return printDoctor(terminalOf(context), {
      config: args.config,
      modules: repeated(rawArgs, 'plugin'),
      json: args.json === true,
    })
  },
})
