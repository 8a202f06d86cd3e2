import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { cpuModel, UserError } from '@trapframe/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { VectorFormat } from './format.js'
import { readVectors } from './read.js'
import { stateFormat } from './state-format.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trapframe-vectors-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const file = (name: string, content: string | Buffer): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** A format of one word a line, to test the reader without a machine. */
const words: VectorFormat = {
  name: 'words',
  recognises: (first) => 'word' in first,
  parse: ({ word }) => {
    if (typeof word !== 'string') throw new Error('word is no text')
    return {
      id: word,
      group: 'words',
      cpu: cpuModel({ vendor: 'intel', features: [], linearAddressBits: 48 }),
      play: () => null,
    }
  },
}

const errorOf = (path: string, formats = [words]): UserError => {
  try {
    for (const _ of readVectors(path, formats));
  } catch (error) {
    if (error instanceof UserError) return error
    throw error
  }
  throw new Error('no error')
}

describe('files that cannot be read', () => {
  test('a missing file is named', () => {
    expect(errorOf(join(folder, 'absent.jsonl')).message).toMatch(/^no such file: .*absent\.jsonl$/)
  })

  test('a truncated line names file, line and column', () => {
    const error = errorOf(file('cut.jsonl', '{"word":"a"}\n{"word":"b'))
    expect(error.message).toMatch(/line 2 is no JSON/)
    expect(error.place).toMatchObject({ line: 2, column: 11 })
    expect(error.hint).toContain('truncated')
  })

  test('a truncated gzip file says so', () => {
    const whole = gzipSync('{"word":"a"}\n'.repeat(100))
    const error = errorOf(file('cut.jsonl.gz', whole.subarray(0, whole.length - 12)))
    expect(error.message).toContain('truncated gzip file')
  })

  test('an unknown format names those that are known', () => {
    const error = errorOf(file('other.jsonl', '{"something":1}\n'), [words, stateFormat])
    expect(error).toMatchObject({ code: 'vector-format', hint: 'known are words, state', place: { line: 1 } })
  })

  test('a line that is no vector of its format says what is wrong', () => {
    expect(errorOf(file('bad.jsonl', '{"word":1}\n')).message).toBe('no words vector: word is no text')
  })

  test('an empty file is an error, not a pass of nothing', () => {
    expect(errorOf(file('empty.jsonl', '')).code).toBe('vector-empty')
  })
})

test('plain and compressed files give the same vectors', () => {
  const text = '{"word":"a"}\n{"word":"b"}\n'
  const ids = (path: string): string[] => [...readVectors(path, [words])].map(({ id }) => id)
  expect(ids(file('w.jsonl', text))).toEqual(['a', 'b'])
  expect(ids(file('w.jsonl.gz', gzipSync(text)))).toEqual(['a', 'b'])
})

test('a dispute of ours holds for exactly the line that it was raised against', () => {
  const line = '{"word":"a"}'
  const sha256 = createHash('sha256').update(line).digest('hex')
  const path = file('d.jsonl', `${line}\n{"word":"a" }\n`)
  file('disputed.json', JSON.stringify([{ file: 'd.jsonl.gz', id: 'a', sha256, reason: 'the manual says otherwise' }]))
  expect([...readVectors(path, [words])].map(({ disputed }) => disputed)).toEqual([
    'the manual says otherwise',
    undefined,
  ])
  rmSync(join(folder, 'disputed.json'))
})

test.each([
  ['no JSON', '[', /no list of disputed vectors/],
  ['no list', '{}', /it is no list/],
  [
    'an entry without reason',
    '[{"file":"w.jsonl","id":"a","sha256":"0"}]',
    /entry 0 wants file, id, sha256 and reason/,
  ],
])('a disputed.json that is %s is an error, not a dispute of nothing', (_, content, message) => {
  const path = file('w.jsonl', '{"word":"a"}\n')
  file('disputed.json', content)
  expect(errorOf(path).message).toMatch(message)
  rmSync(join(folder, 'disputed.json'))
})
