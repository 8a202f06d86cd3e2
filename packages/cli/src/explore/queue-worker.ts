import { MachineError } from '@trapframe/core'
import { EXIT_OK, type ExitCode } from '../command/exit.js'
import type { PluginRequest } from '../config/command-plugins.js'
import { configOf } from '../config/config-of.js'
import type { Terminal } from '../terminal/terminal.js'
import { type QueueOrder, queuePackage, shareablePath, textHash, withoutPassword } from './queue.js'
import { searchSetup } from './search-setup.js'

export interface QueueWorkerOptions extends PluginRequest {
  readonly url: string
  readonly allowPlugins: boolean
  readonly allowFiles: boolean
  readonly signal: AbortSignal
}

/**
 * `trapframe explore worker --queue URL`: works for searches of that queue until Ctrl-C or SIGTERM. Plugins and what
 * scenarios may do are as this command line says, whatever the queue does.
 *
 * @throws UsageError where the optional package is not installed, MachineError for a place that is none
 */
export async function workForQueue(terminal: Terminal, options: QueueWorkerOptions): Promise<ExitCode> {
  const { url, signal } = options
  const { startQueueWorker } = await queuePackage()
  const config = await configOf(options.config)
  const source = { modules: options.modules ?? [], config: config.file }
  const allowPlugins = options.allowPlugins || config.settings.allowPlugins === true
  let portions = 0
  let trouble = ''
  const worker = await startQueueWorker({
    url,
    setup: async (data) => {
      const { job, replaced, text } = data as QueueOrder
      await requireSameText(job.file, text)
      const { allowFiles } = options
      return searchSetup({ job, replaced, source, allowPlugins, allowFiles, coordinator: process.pid })
    },
    onPortion: () => {
      portions++
    },
    onError: ({ message }) => {
      if (message !== trouble) terminal.err.write(`${withoutPassword(url)}: ${message}\n`)
      trouble = message
    },
  })
  terminal.err.write(`working for ${withoutPassword(url)}; Ctrl-C ends it\n`)
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
    process.once('SIGTERM', () => resolve())
  })
  await worker.end()
  terminal.err.write(`${portions} portions expanded\n`)
  return EXIT_OK
}

/** @throws UserError for a file that workers do not read, and for another text than the search is of */
async function requireSameText(file: string, text: string): Promise<void> {
  if ((await textHash(await shareablePath(file))) === text) return
  throw new MachineError('job-differs', `${file} is another scenario in a worker than where it is searched`, {
    hint: 'start all in the same folder of the same files',
  })
}
