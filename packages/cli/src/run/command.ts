import { defineCommand } from 'citty'
import { repeated } from '../command/arguments.js'
import { withInterrupt } from '../command/interrupt.js'
import { JSON_OPTION } from '../command/json-option.js'
import { FILE_OPTIONS, PLUGIN_OPTIONS } from '../command/plugin-options.js'
import { terminalOf } from '../command/terminal-of.js'
import { CONFIG_OPTION } from '../config/config-of.js'
import { UsageError } from '../error/usage-error.js'
import { CLOSER_OPTIONS, closerOf } from '../follow/options.js'
import { parseTimeout } from './timeout-option.js'
import { parseWorkers } from './workers-option.js'

/** `trapframe run FILE…` */
export const runCommand = defineCommand({
  meta: { name: 'run', description: 'Run scenarios and check what they expect' },
  args: {
    filter: {
      type: 'string',
      alias: 't',
      valueHint: 'TEXT',
      description: 'only scenarios with this in their name or among their references (may be repeated)',
    },
    cell: {
      type: 'string',
      valueHint: 'AXIS=VALUE',
      description: 'only cells with this value of an axis (may be repeated)',
    },
    bail: { type: 'boolean', description: 'stop at the first failure' },
    reporter: {
      type: 'string',
      valueHint: 'NAME[=FILE]',
      description: 'how to tell: pretty, jsonl, json, junit, tap, github, or of a plugin (may be repeated)',
    },
    output: { type: 'string', valueHint: 'FILE', description: 'where the one reporter writes to' },
    ...JSON_OPTION,
    check: { type: 'boolean', description: 'make every step twice, from a snapshot, and compare byte by byte' },
    workers: {
      type: 'string',
      valueHint: 'N',
      description: 'threads: 1 for none but the first; left out, as many as pay off',
    },
    update: { type: 'boolean', alias: 'u', description: 'keep snapshots as they are now' },
    timeout: {
      type: 'string',
      valueHint: 'SECONDS',
      description: 'what all cells of one scenario may take (default: 120)',
    },
    watch: { type: 'boolean', alias: 'w', description: 'run again when scenarios change, or what they are made of' },
    ...CLOSER_OPTIONS,
    ...CONFIG_OPTION,
    ...PLUGIN_OPTIONS,
    ...FILE_OPTIONS,
  },
  async run(context) {
    const { args, rawArgs } = context
    const terminal = terminalOf(context)
    const options = {
      json: args.json === true,
      check: args.check === true,
      modules: repeated(rawArgs, 'plugin'),
      allowPlugins: args['allow-plugins'] === true,
      allowFiles: args['allow-files'] === true,
      update: args.update === true,
      seconds: parseTimeout(args.timeout),
      reporters: repeated(rawArgs, 'reporter'),
      output: args.output,
      filters: repeated(rawArgs, 'filter', 't'),
      cells: repeated(rawArgs, 'cell'),
      bail: args.bail === true,
      workers: parseWorkers(args.workers),
      config: args.config,
    }
    const closer = closerOf(args, terminal, options.json || options.reporters.length > 0)
    if (args.watch === true) {
      if (closer !== undefined) throw new UsageError('--explain and --html do not go with --watch')
      const { watchFiles } = await import('../watch/watch-files.js')
      return watchFiles(args._, terminal, options)
    }
    const { run } = await import('./run-files.js')
    const ran = await withInterrupt((signal) => run(args._, terminal, { ...options, signal }))
    if (closer !== undefined) {
      const { lookCloserAtRun } = await import('../follow/look-closer-at-run.js')
      await lookCloserAtRun(ran, terminal, closer, options)
    }
    return ran.code
  },
})
