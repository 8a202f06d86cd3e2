import { describe, expect, test } from 'vitest'
import { runOnly, runText } from '../../test/scenario-text.js'

const FRED = 'name: x\nmachine: { host: flat-fred }\n'
const BOTH = `name: x\nmatrix: { delivery: [idt, fred] }\nmachine: { host: "flat-\${delivery}" }\n`
const INT = 'guest: |\n  int 0x80\n  back:\n'

describe('code at a label of the host', () => {
  test("stands in the place of the host's own, and its labels can be named", async () => {
    const code = 'code:\n  entry_ring3: |\n    entry:\n      mov eax, 7\n    leave:\n      eretu\n'
    const more = 'inject: [{ event: nmi, at: { label: leave } }]\n'
    const { run } = await runOnly(`${FRED}${INT}${code}${more}`, { history: true })
    expect([run.outcome, run.machine.cpu.gpr(0)]).toEqual(['done', 7n])
    expect(run.deliveries.map(({ event, from }) => `${event} from ${run.nameOf(from.rip)}`)).toEqual([
      'INT 0x80 from back',
      'NMI from leave',
    ])
    expect(run.history.map(({ text, line }) => [text, line])).toContainEqual(['mov eax, 7', 9])
  })

  test('is left out where the host has no such label', async () => {
    const code = 'code:\n  handler_128: |\n    mov eax, 1\n    iretq\n  entry_ring3: |\n    mov eax, 2\n    eretu\n'
    const cells = await runText(`${BOTH}${INT}${code}`)
    expect(cells.map(({ run }) => [run.outcome, run.machine.cpu.gpr(0)])).toEqual([
      ['done', 1n],
      ['done', 2n],
    ])
  })

  test('ends the run at its end, at any privilege; code of no bytes where it begins', async () => {
    for (const code of ['"nop"', '""']) {
      const { run } = await runOnly(`${FRED}${INT}code: { entry_ring3: ${code} }\n`)
      expect([run.outcome, run.machine.cpu.cpl]).toEqual(['done', 0])
      expect(run.nameOf(run.machine.cpu.rip)).toBe(code === '""' ? 'entry_ring3' : 'entry_ring3+0x1')
    }
  })

  test.each([
    ['code: { entry_ring4: "nop" }', 'the host has no label "entry_ring4"', 'did you mean "entry_ring3"?'],
    [
      'code: { entry_ring3: "times 257 nop" }',
      '"entry_ring3" takes 257 bytes, and the host has room for 256',
      undefined,
    ],
    ['code: { entry_ring3: "back: nop" }', 'the label "back" is taken already', expect.any(String)],
    ['code: { entry_ring3: "eretuu" }', 'there is no instruction "eretuu"', 'did you mean "eretu"?'],
  ])('%s is a mistake', async (code, message, hint) => {
    await expect(runOnly(`${FRED}${INT}${code}\n`)).rejects.toMatchObject({
      errors: [{ message, hint, place: { line: 6 } }],
    })
  })

  test('stands once at a place that has two names', async () => {
    const code = 'code: { handler_14: "iretq", handler_pf: "iretq" }\n'
    const failure = runOnly(`name: x\nmachine: { host: flat-idt }\n${INT}${code}`)
    await expect(failure).rejects.toMatchObject({
      errors: [{ message: '"handler_pf" and "handler_14" are the same place' }],
    })
  })
})
