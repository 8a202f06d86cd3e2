import { describe, expect, test } from 'vitest'
import { SAMPLE, withChange } from '../../../test/pv-xen-sample.js'
import { pvXenFormat } from './format.js'

describe('a line of pv-xen.jsonl', () => {
  test('is recognised by its content', () => {
    expect(pvXenFormat.recognises(SAMPLE)).toBe(true)
    expect(pvXenFormat.recognises({ initial: {}, final: {}, program: [] })).toBe(false)
  })

  test('its group is the first part of its id; delivery and CPU are part of the reported id', () => {
    expect(pvXenFormat.parse(SAMPLE)).toMatchObject({
      id: 'exc/ud2/user@fred@intel',
      group: 'pv/exc',
      cpu: { name: 'panther-lake' },
      host: { name: 'xen fred' },
    })
    expect(pvXenFormat.parse({ ...SAMPLE, cpu: 'amd' })).toMatchObject({ cpu: { name: 'zen6' } })
  })

  test.each<[string, readonly string[], unknown, string]>([
    ['no id', ['id'], 7, 'id is no text'],
    ['an unknown delivery', ['delivery'], 'apic', 'delivery is none of idt, fred: "apic"'],
    ['an unknown CPU', ['cpu'], 'via', 'cpu is none of intel, amd: "via"'],
    ['odd hex bytes', ['setup', 'bytes'], '0f0', 'setup.bytes is no hex byte string'],
    ['code that is too long', ['setup', 'bytes'], '90'.repeat(2049), 'setup.bytes is longer than 2048 bytes'],
    ['code of 16 bits', ['setup', 'bits'], 16, 'setup.bits is neither 64 nor 32'],
    ['a start without RIP', ['setup', 'start', 'rip'], undefined, 'setup.start.rip is no number: undefined'],
    ['an unknown anchor', ['setup', 'start', 'rsp'], 'heap', 'setup.start.rsp is no number: "heap"'],
    ['a register that is none', ['setup', 'start', 'regs'], { rsp: '0x0' }, 'setup.start.regs has no general register'],
    ['an unknown operation', ['setup', 'before'], [{ op: 'reboot' }], 'setup.before[0].op is no operation'],
    ['an inherited name as operation', ['setup', 'before'], [{ op: 'toString' }], 'setup.before[0].op is no operation'],
    [
      'an operation without its field',
      ['setup', 'after'],
      [{ op: 'getDebugreg' }],
      'setup.after[0].reg is no number from 0 to 255: undefined',
    ],
    [
      'a vector that is none',
      ['setup', 'before'],
      [{ op: 'clearTrapTableEntry', vector: '0x100' }],
      'setup.before[0].vector is no vector: "0x100"',
    ],
    [
      'a descriptor of neither kind',
      ['setup', 'before'],
      [{ op: 'updateDescriptor', table: 'gdt', index: 20, value: 7 }],
      'setup.before[0].value is no object',
    ],
    [
      'a resumption without end',
      ['setup', 'resume'],
      { count: 1e9, skipBytes: 0, iretFlags: '0x0' },
      'setup.resume.count is no number from 0 to 64',
    ],
    ['an unknown outcome', ['seen', 'outcome'], 'hang', 'seen.outcome is none of ok, domain-crash: "hang"'],
    ['a crash without registers', ['seen', 'outcome'], 'domain-crash', 'seen.crash is no object'],
    ['an entry that is none', ['seen', 'events', 0, 'entry'] as never, 'gate:6', 'seen.events[0].entry is no entry'],
    [
      'a frame without RFLAGS',
      ['seen', 'events', 0, 'frame', 'rflags'] as never,
      undefined,
      'frame.rflags is no number',
    ],
    ['a result that is no number', ['seen', 'setupResults'], ['ok'], 'seen.setupResults[0] is no number: "ok"'],
  ])('%s is refused by name', (_, path, value, message) => {
    expect(() => pvXenFormat.parse(withChange(path, value))).toThrow(message)
  })
})
