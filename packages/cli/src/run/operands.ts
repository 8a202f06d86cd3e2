import { join, relative } from 'node:path'
import type { LoadedConfig } from '../config/load-config.js'
import { UsageError } from '../error/usage-error.js'

/** What a command line means to run, or the config where it names nothing. @throws UsageError where neither does */
export function operandsOf(operands: readonly string[], { file, folder, settings }: LoadedConfig): readonly string[] {
  if (operands.length > 0) return operands
  const { files = [] } = settings
  if (files.length > 0) return files.map((one) => relative(process.cwd(), join(folder, one)) || '.')
  const hint = `for example: trapframe run scenarios/; or write "files" into ${file ?? 'trapframe.config.ts'}`
  throw new UsageError('"run" needs FILE…', hint)
}
