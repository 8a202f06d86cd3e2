import { expect, test, vi } from 'vitest'
import { showProgress } from './progress.js'
import { memoryTerminal } from './terminal.js'

test('in pipes, files and CI there is no progress at all', () => {
  const terminal = memoryTerminal()
  const progress = showProgress(terminal)
  progress.say('1 of 2')
  progress.terminal.out.write('x\n')
  progress.end()
  expect(terminal.text).toEqual({ out: 'x\n', err: '' })
})

test('on a terminal it is a line that gives way to what is written, and goes at the end', () => {
  vi.useFakeTimers()
  try {
    const terminal = memoryTerminal({ live: true, columns: 12 })
    const progress = showProgress(terminal)
    progress.say('1 of 2 scenarios')
    vi.advanceTimersByTime(100)
    expect(terminal.text.err).toBe('⠋ 1 of 2 sc')
    progress.terminal.out.write('x\n')
    expect(terminal.text.err).toBe('⠋ 1 of 2 sc\r\u001b[2K')
    expect(terminal.text.out).toBe('x\n')
    vi.advanceTimersByTime(100)
    progress.end()
    vi.advanceTimersByTime(1000)
    expect(terminal.text.err).toBe('⠋ 1 of 2 sc\r\u001b[2K⠙ 1 of 2 sc\r\u001b[2K')
  } finally {
    vi.useRealTimers()
  }
})
