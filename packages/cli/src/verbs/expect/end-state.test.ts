import { describe, expect, test } from 'vitest'
import { runOnly } from '../../../test/scenario-text.js'

const FLAT = 'name: x\nmachine: { host: flat-fred }\nguest: |\n  start:\n  int 0x80\n  stc\n'

/** What became of expectations: whether each holds, and what was seen. */
async function seen(entries: string, head = FLAT): Promise<readonly (readonly [boolean, string])[]> {
  const { result } = await runOnly(`${head}expect: [${entries}]\n`)
  return result.expectations.map(({ holds, actual }) => [holds, actual])
}

describe('expect: flags', () => {
  test('compares the bits that it names, and no others', async () => {
    expect(await seen('{ flags: { cf: true, if: true } }, { flags: { cf: false, zf: false } }')).toEqual([
      [true, 'cf true, if true'],
      [false, 'cf true'],
    ])
  })
})

describe('expect: facts', () => {
  const XEN = 'name: x\nmachine: { cmdline: fred=1 }\n'

  test('compares what the host reports of itself, by name', async () => {
    const [right, wrong] = await seen('{ facts: { revision: rfc, pv32: false } }, { facts: { pv32: true } }', XEN)
    expect(right).toEqual([true, 'revision "rfc", pv32 false'])
    expect(wrong).toEqual([false, 'pv32 false'])
  })

  test('of a host that has none is a mistake', async () => {
    await expect(seen('{ facts: { a: 1 } }')).rejects.toThrow('this host reports no facts of itself')
  })
})

describe('expect: never', () => {
  test('a text of the log', async () => {
    const xen = 'name: x\nmachine: { cmdline: fred=1 }\n'
    const [kept, broken] = await seen('{ never: { log: crashed } }, { never: { log: FRED event } }', xen)
    expect(kept).toEqual([true, 'no such line'])
    expect(broken?.[0]).toBe(false)
    expect(broken?.[1]).toContain('Using FRED event delivery')
  })

  test('an entry of the trace', async () => {
    const entries =
      '{ never: { trace: { type: instruction, cpl: 2 } } }, { never: { trace: { type: instruction, rip: start } } }'
    expect(await seen(entries)).toEqual([
      [true, 'none'],
      [false, '1 of them'],
    ])
  })

  test.each(['{ never: {} }', '{ never: { log: a, event: NMI } }'])('%s is a mistake', async (entry) => {
    await expect(seen(entry)).rejects.toThrow('"never" needs one of "write", "event", "log" and "trace"')
  })
})
