import type { Output, Terminal } from './terminal.js'

const CLEAR_LINE = '\r\u001b[2K'
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
/** Between two pictures of the line. */
const PERIOD = 80

/** A last line that says how far a command is, on a terminal; in pipes, files and CI, nothing at all. */
export interface Progress {
  /** The terminal to write to meanwhile: what is written comes above the line. */
  readonly terminal: Terminal
  /** Says something else. */
  say(text: string): void
  /** Takes the line away. */
  end(): void
}

/** Begins to show progress on `err`, where somebody looks at it. */
export function showProgress(terminal: Terminal): Progress {
  const { out, err } = terminal
  if (!err.live) return { terminal, say: () => undefined, end: () => undefined }
  let text = ''
  let shown = false
  let frame = 0
  const clear = (): void => {
    if (shown) err.write(CLEAR_LINE)
    shown = false
  }
  const draw = (): void => {
    if (text === '') return
    clear()
    const line = `${FRAMES[frame++ % FRAMES.length]} ${text}`
    err.write([...line].slice(0, (err.columns || 80) - 1).join(''))
    shown = true
  }
  const timer = setInterval(draw, PERIOD)
  timer.unref()
  const above = (output: Output): Output => ({
    ...output,
    write(more) {
      clear()
      output.write(more)
    },
  })
  return {
    // What goes into a pipe or a file does not disturb the line.
    terminal: { ...terminal, out: out.live ? above(out) : out, err: above(err) },
    say(more) {
      text = more
    },
    end() {
      clearInterval(timer)
      clear()
    },
  }
}
