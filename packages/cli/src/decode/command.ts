import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { JSON_OPTION } from '../command/json-option.js'
import { PLUGIN_OPTION } from '../command/plugin-options.js'
import { terminalOf } from '../command/terminal-of.js'

/** `trapframe decode [TEXT…]` */
export const decodeCommand = defineCommand({
  meta: { name: 'decode', description: 'A FRED frame or a kernel’s last words, explained' },
  args: {
    ...JSON_OPTION,
    ...PLUGIN_OPTION,
  },
  async run(context) {
    const { args, rawArgs } = context
    const { printDecoded } = await import('./print-decoded.js')
    return printDecoded(terminalOf(context), {
      operands: args._,
      modules: repeated(rawArgs, 'plugin'),
      json: args.json === true,
    })
  },
})
