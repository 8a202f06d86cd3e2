import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { withInterrupt } from '../command/interrupt.js'
import { JSON_OPTION } from '../command/json-option.js'
import { FILE_OPTIONS, PLUGIN_OPTIONS } from '../command/plugin-options.js'
import { terminalOf } from '../command/terminal-of.js'
import { MOST_WORKERS } from '../config/config.js'
import { CONFIG_OPTION } from '../config/config-of.js'
import { UsageError } from '../error/usage-error.js'
import { CLOSER_OPTIONS, closerOf } from '../follow/options.js'
import { selectionOf } from '../run/selection.js'
import { PLAN_OPTIONS, planOptions, wholeNumber } from './plan.js'

/** `trapframe explore FILE…` */
export const exploreCommand = defineCommand({
  meta: { name: 'explore', description: 'Every event at every instruction, and the shortest way to disaster' },
  args: {
    ...PLAN_OPTIONS,
    cell: {
      type: 'string',
      valueHint: 'AXIS=VALUE',
      description: 'only cells with this value of an axis (may be repeated)',
    },
    out: {
      type: 'string',
      default: '.trapframe',
      valueHint: 'FOLDER',
      description: 'where counterexamples go, as scenarios',
    },
    ...JSON_OPTION,
    check: { type: 'boolean', description: 'judge by what the scenarios expect searches to find' },
    coverage: { type: 'boolean', description: 'a table of boundaries and the events that happened there' },
    graph: { type: 'string', valueHint: 'FILE.dot', description: 'write the graph of a small search (Graphviz)' },
    checkpoint: { type: 'string', valueHint: 'FILE', description: 'write the state of the search now and then' },
    resume: { type: 'string', valueHint: 'FILE', description: 'go on from a checkpoint' },
    workers: { type: 'string', valueHint: 'N', description: 'processes that search (default: 1)' },
    queue: { type: 'string', valueHint: 'URL', description: 'search by the workers of a Redis queue (redis://…)' },
    ...CLOSER_OPTIONS,
    ...CONFIG_OPTION,
    ...PLUGIN_OPTIONS,
    ...FILE_OPTIONS,
  },
  async run(context) {
    const { args, rawArgs } = context
    const terminal = terminalOf(context)
    const options = {
      plan: planOptions(args),
      selection: selectionOf([], repeated(rawArgs, 'cell')),
      out: args.out,
      json: args.json === true,
      check: args.check === true,
      coverage: args.coverage === true,
      graph: graphFile(args.graph),
      checkpoint: args.checkpoint,
      resume: args.resume,
      workers: args.workers === undefined ? 1 : wholeNumber('workers', args.workers, 1, MOST_WORKERS),
      queue: args.queue,
      closer: closerOf(args, terminal, args.json === true),
      modules: repeated(rawArgs, 'plugin'),
      config: args.config,
      allowPlugins: args['allow-plugins'] === true,
      allowFiles: args['allow-files'] === true,
    }
    const { queue: url } = args
    if (url !== undefined && args._.length === 1 && args._[0] === 'worker') {
      const { workForQueue } = await import('./queue-worker.js')
      return withInterrupt((signal) => workForQueue(terminal, { ...options, url, signal }))
    }
    const { exploreFiles } = await import('./explore-files.js')
    return withInterrupt((signal) => exploreFiles(args._, terminal, { ...options, signal }))
  },
})

/** @throws UsageError for anything but DOT, which Graphviz makes pictures of */
function graphFile(written: string | undefined): string | undefined {
  if (written === undefined || /\.(dot|gv)$/i.test(written)) return written
  const stem = written.replace(/\.[^./]*$/, '')
  throw new UsageError(
    `--graph writes DOT, and "${written}" is no name of such a file`,
    `--graph ${stem}.dot, then: dot -Tsvg ${stem}.dot -o ${stem}.svg`,
  )
}
