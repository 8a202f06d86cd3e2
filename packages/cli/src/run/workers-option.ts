import { MOST_WORKERS } from '../config/config.js'
import { UsageError } from '../error/usage-error.js'

/** `--workers N` as a number. @throws UsageError for anything but 1 to 256 */
export function parseWorkers(written: string | undefined): number | undefined {
  if (written === undefined) return undefined
  const number = /^[0-9]+$/.test(written) ? Number(written) : 0
  if (number < 1 || number > MOST_WORKERS)
    throw new UsageError(`--workers cannot be "${written}"`, `a number of threads, 1 to ${MOST_WORKERS}`)
  return number
}
