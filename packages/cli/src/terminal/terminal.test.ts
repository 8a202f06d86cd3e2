import { describe, expect, test } from 'vitest'
import { pad, painter, width, wrap } from './style.js'
import { wantsColor, wantsProgress } from './terminal.js'

describe('colours', () => {
  test.each([
    ['a terminal', true, {}, true],
    ['a pipe', false, {}, false],
    ['NO_COLOR', true, { NO_COLOR: '1' }, false],
    ['an empty NO_COLOR counts as unset', true, { NO_COLOR: '' }, true],
    ['FORCE_COLOR in a pipe', false, { FORCE_COLOR: '1' }, true],
    ['an empty FORCE_COLOR too', false, { FORCE_COLOR: '' }, true],
    ['FORCE_COLOR=0', true, { FORCE_COLOR: '0' }, false],
    ['FORCE_COLOR over NO_COLOR', false, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
    ['a dumb terminal', true, { TERM: 'dumb' }, false],
  ])('%s', (_what, isTerminal, environment, expected) => {
    expect(wantsColor(isTerminal, environment)).toBe(expected)
  })

  test('paint changes nothing but the look', () => {
    expect(painter({ color: false })('bad', 'text')).toBe('text')
    const painted = painter({ color: true })('bad', 'text')
    expect(painted).not.toBe('text')
    expect(width(painted)).toBe(4)
    expect(pad(painted, 6)).toBe(`${painted}  `)
  })
})

test('long text is wrapped at blanks, and in the middle of a word only where there is none', () => {
  expect(wrap('one two three', 20)).toEqual(['one two three'])
  expect(wrap('one two three four', 10)).toEqual(['one two', '  three', '  four'])
  expect(wrap('abcdefghijkl', 5)).toEqual(['abcde', '  fgh', '  ijk', '  l'])
})

test('progress is for terminals, and neither for CI nor for TERM=dumb', () => {
  expect(wantsProgress(true, {})).toBe(true)
  expect(wantsProgress(false, {})).toBe(false)
  expect(wantsProgress(true, { CI: 'true' })).toBe(false)
  expect(wantsProgress(true, { CI: '' })).toBe(true)
  expect(wantsProgress(true, { TERM: 'dumb' })).toBe(false)
})
