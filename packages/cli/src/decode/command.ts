import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { terminalOf } from '../command/terminal-of.js'

/** `trapframe decode [TEXT…]` */
export const decodeCommand = defineCommand({
  meta: { name: 'decode', description: 'A FRED frame or a kernel’s last words, explained' },
  args: {
    json: { type: 'boolean', description: 'print one JSON object' },
    plugin: {
      type: 'string',
      valueHint: 'MODULE',
      description: 'load a plugin: a path or a package (may be repeated)',
    },
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
