import type { WriteStream } from 'node:tty'

/** One place where text goes, and what it can show. */
export interface Output {
  write(text: string): void
  /** Escape sequences are wanted. */
  readonly color: boolean
  /** Columns of the terminal, or what COLUMNS says in a pipe or a file; undefined for whatever is usual. */
  readonly columns: number | undefined
  /** Somebody is looking, and a line can be written over: progress may be shown. */
  readonly live: boolean
}

/** What a command talks to: results on `out`, everything about the command itself on `err`. */
export interface Terminal {
  readonly out: Output
  readonly err: Output
  /** Variables of the process. */
  readonly environment: Environment
}

type Environment = Readonly<Record<string, string | undefined>>

/** The terminal of this process. A reader that went away (EPIPE) is no error: what is left to say is dropped. */
export function processTerminal(environment: Environment = process.env): Terminal {
  return {
    out: streamOutput(process.stdout, environment),
    err: streamOutput(process.stderr, environment),
    environment,
  }
}

function streamOutput(stream: WriteStream, environment: Environment): Output {
  let open = true
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EOF') throw error
    open = false
  })
  return {
    write(text) {
      if (open) stream.write(text)
    },
    color: wantsColor(stream.isTTY === true, environment),
    columns: stream.isTTY ? stream.columns : Number(environment.COLUMNS) || undefined,
    live: wantsProgress(stream.isTTY === true, environment),
  }
}

/**
 * Whether a stream gets colours: FORCE_COLOR decides, then NO_COLOR and NODE_DISABLE_COLORS, then whether somebody is
 * looking. An empty variable counts as unset (no-color.org); `FORCE_COLOR=0` means no.
 */
export function wantsColor(isTerminal: boolean, environment: Environment): boolean {
  const forced = environment.FORCE_COLOR
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  if (environment.NO_COLOR || environment.NODE_DISABLE_COLORS) return false
  return isTerminal && environment.TERM !== 'dumb'
}

/** Whether a stream is a terminal that somebody looks at and whose lines can be written over: not in CI, not where `TERM=dumb`. */
export function wantsProgress(isTerminal: boolean, environment: Environment): boolean {
  return isTerminal && environment.TERM !== 'dumb' && !environment.CI
}

/** A terminal that keeps what it is told, for tests and for commands that another program calls. */
export function memoryTerminal(
  options: {
    readonly color?: boolean
    readonly columns?: number
    readonly live?: boolean
    readonly environment?: Environment
  } = {},
): Terminal & {
  readonly text: { readonly out: string; readonly err: string }
} {
  const text = { out: '', err: '' }
  const output = (name: 'out' | 'err'): Output => ({
    write(more) {
      text[name] += more
    },
    color: options.color ?? false,
    columns: options.columns,
    live: options.live ?? false,
  })
  return { out: output('out'), err: output('err'), environment: options.environment ?? {}, text }
}
