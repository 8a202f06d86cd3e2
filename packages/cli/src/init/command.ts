import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { suggestion } from '../command/suggest.js'
import { terminalOf } from '../command/terminal-of.js'
import { UsageError } from '../error/usage-error.js'

/** What `trapframe init` makes. */
const KINDS = ['scenario', 'plugin'] as const

/** `trapframe init scenario|plugin NAME` */
export const initCommand = defineCommand({
  meta: { name: 'init', description: 'A scenario or a plugin package to begin with' },
  args: {
    host: { type: 'string', default: 'xen', valueHint: 'NAME', description: 'of a scenario: the host that boots' },
    cpu: {
      type: 'string',
      default: 'panther-lake',
      valueHint: 'MODEL',
      description: 'of a scenario: a CPU model, with edits',
    },
    dir: {
      type: 'string',
      valueHint: 'FOLDER',
      description: 'of a plugin: where it goes; left out, a folder of its name',
    },
    force: { type: 'boolean', description: 'write over files that are there' },
    plugin: {
      type: 'string',
      valueHint: 'MODULE',
      description: 'load a plugin that brings the host: a path or a package (may be repeated)',
    },
  },
  async run(context) {
    const { args, rawArgs } = context
    const [kind, name] = args._ as [string, string]
    const terminal = terminalOf(context)
    const force = args.force === true
    if (kind === 'scenario') {
      const { initScenario } = await import('./init-scenario.js')
      const modules = repeated(rawArgs, 'plugin')
      return initScenario(terminal, { name, host: args.host, cpu: args.cpu, modules, force })
    }
    if (kind === 'plugin') {
      const { initPlugin } = await import('./init-plugin.js')
      return initPlugin(terminal, { name, dir: args.dir, force })
    }
    throw new UsageError(`"init" makes no "${kind}"`, suggestion(kind, KINDS, 'it makes'))
  },
})
