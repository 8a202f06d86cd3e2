import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { CAUSES, likelyCauses } from './causes.js'
import type { EventFacts } from './facts.js'

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url))

const facts = (type: number | null, vector: number, cs: number | null = 0x10): EventFacts => ({
  type,
  vector,
  errorCode: 0n,
  eventData: 0n,
  cs,
  rip: 0n,
})
const likely = (type: number | null, vector: number, cs?: number | null, reporter = 'Linux') =>
  likelyCauses(facts(type, vector, cs), reporter)[0]?.id

describe('likely causes', () => {
  test('identifiers are unique, texts are whole sentences, and references are given where a fact is public', () => {
    expect(new Set(CAUSES.map(({ id }) => id)).size).toBe(CAUSES.length)
    for (const { text } of CAUSES) expect(text).toMatch(/^[A-Z].*\.$/)
    expect(CAUSES.filter(({ known }) => known !== undefined).length).toBeGreaterThan(8)
  })

  test('the scenarios that they name are there', () => {
    const named = CAUSES.flatMap(({ scenario }) => scenario ?? [])
    expect(named.length).toBeGreaterThan(5)
    for (const path of named) expect(existsSync(`${ROOT}/${path}`), path).toBe(true)
  })

  test('the special goes before the general', () => {
    expect(likely(4, 2)).toBe('int-2')
    expect(likely(4, 0x80)).toBe('int-80-ring-0')
    expect(likely(4, 3)).toBe('int-breakpoint')
    expect(likely(4, 14)).toBe('int-exception-ring-0')
    expect(likely(4, 0x30)).toBe('int-ring-0')
  })

  test('the ring decides: INT n in ring 3 is a program’s own', () => {
    expect(likely(4, 2, 0x33)).toBe('int-ring-3')
    expect(likely(7, 1, 0x33)).toBeUndefined()
    expect(likely(7, 1)).toBe('system-call-ring-0')
  })

  test('every event that Linux finds invalid in ring 0 has a cause', () => {
    for (let vector = 0; vector < 256; vector++) {
      for (const type of [1, 4, 8, 15]) expect(likely(type, vector), `type ${type} vector ${vector}`).toBeDefined()
      if (vector !== 2) expect(likely(2, vector)).toBe('nmi-vector')
      if (vector !== 1) expect(likely(5, vector)).toBe('int1-vector')
      if (vector !== 3 && vector !== 4) expect(likely(6, vector)).toBe('software-exception-vector')
      expect(likely(7, vector)).toBeDefined()
      if (vector > 31) expect(likely(3, vector)).toBe('exception-unknown')
    }
    for (const vector of [9, 15, 18, 20, 21, 22, 27, 29, 31]) expect(likely(3, vector)).toBeDefined()
  })

  test('a vector alone, as under the IDT, is an exception below 32 and the NMI with 2', () => {
    expect(likely(null, 14, 0xe008, 'Xen')).toBe('page-fault')
    expect(likely(null, 2, 0xe008, 'Xen')).toBe('xen-nmi')
    expect(likely(null, 0x80, 0xe008, 'Xen')).toBeUndefined()
  })

  test('nothing is made up: an ordinary exception in ring 3 has no likely cause', () => {
    for (const vector of [0, 1, 3, 6, 13, 14, 17]) expect(likely(3, vector, 0x33, 'frame')).toBeUndefined()
  })
})
