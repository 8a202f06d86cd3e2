/**
 * Does something that the first Ctrl-C asks to end and the second ends at once.
 *
 * @param work ends early, and in order, when the signal is aborted
 */
export async function withInterrupt<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  process.once('SIGINT', abort)
  try {
    return await work(controller.signal)
  } finally {
    process.off('SIGINT', abort)
  }
}
