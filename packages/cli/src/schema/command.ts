import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { PLUGIN_OPTION } from '../command/plugin-options.js'
import { terminalOf } from '../command/terminal-of.js'

/** `trapframe schema` */
export const schemaCommand = defineCommand({
  meta: { name: 'schema', description: 'The JSON Schema of scenarios, with the words of plugins' },
  args: {
    ...PLUGIN_OPTION,
  },
  async run(context) {
    const { printSchema } = await import('./print-schema.js')
    return printSchema(terminalOf(context), repeated(context.rawArgs, 'plugin'))
  },
})
