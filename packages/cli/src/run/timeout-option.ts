import { UsageError } from '../error/usage-error.js'

/** The value of `--timeout`. @throws UsageError for what is no number of seconds */
export function parseTimeout(written: string | undefined): number | undefined {
  if (written === undefined) return undefined
  const seconds = Number(written)
  if (/^\d+(\.\d+)?$/.test(written) && seconds > 0 && seconds <= 86_400) return seconds
  throw new UsageError(`--timeout cannot be "${written}"`, 'seconds, up to 86400')
}
