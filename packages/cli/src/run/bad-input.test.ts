import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'

const GOOD = `name: x
matrix: { delivery: [idt, fred] }
machine: { cpu: panther-lake, host: xen, delivery: "\${delivery}", options: { ist: true } }
guest: |
  start:
    mov rax, 1
    syscall
  back:
inject:
  - { event: nmi, at: { label: back } }
expect:
  - { outcome: done }
`

const AXIS = `\${delivery}`
const MISSPELT = `\${delivry}`

/** What was changed in the good scenario, and the one message that must come of it. */
type Row = readonly [
  what: string,
  from: string,
  to: string,
  at: `${number}:${number}`,
  message: string,
  under: string,
  hint?: string,
]

// biome-ignore format: a table reads by its rows
const ROWS: readonly Row[] = [
  ['an unknown instruction', 'syscall', 'syscal', '7:5', 'there is no instruction "syscal"', 'syscal', 'did you mean "syscall"?'],
  ['a misspelt key', 'inject:', 'injects:', '9:1', 'unknown key "injects"', 'injects', 'did you mean "inject"?'],
  ['a misspelt key of machine', 'host:', 'hots:', '3:31', 'unknown key "hots"', 'hots', 'did you mean "host"?'],
  ['a misspelt key of an injection', 'label:', 'labl:', '10:25', 'unknown key "labl"', 'labl', 'did you mean "label"?'],
  ['a bad number in a program', 'rax, 1', 'rax, 0x1g', '6:14', '"0x1g" is not a number', '0x1g'],
  ['a bad number of steps', 'expect:', 'limits: { steps: two }\nexpect:', '11:18', '"two" is not a number', 'two'],
  ['too large a number', 'expect:', 'limits: { steps: 9999999 }\nexpect:', '11:18', '9999999 is too large for "steps"', '9999999', 'most: 1000000'],
  ['half a CPU', 'cpu: panther-lake', 'cpus: 1.5', '3:18', '1.5 is not a number', '1.5'],
  ['a bad number in an expectation', 'outcome: done', 'registers: { rax: 12zz }', '12:25', '"12zz" is not a number', '12zz'],
  ['an unknown CPU', 'panther-lake', 'panter-lake', '3:17', 'unknown CPU "panter-lake"', 'panter-lake', 'did you mean "panther-lake"?'],
  ['an unknown CPU feature', 'panther-lake', '"panther-lake,-frde"', '3:17', 'unknown CPU feature "frde" in "panther-lake,-frde"', '"panther-lake,-frde"', 'did you mean "fred"?'],
  ['a CPU that cannot do it', 'panther-lake', 'skylake', '3:17', 'delivery "fred" was asked for, and Xen decides for idt', 'skylake'],
  ['an unknown host', 'host: xen', 'host: xne', '3:37', 'unknown host "xne"', 'xne', 'did you mean "xen"?'],
  ['an unknown option', 'ist: true', 'isst: true', '3:78', 'host "xen" has no option "isst"', 'isst', 'did you mean "ist"?'],
  ['a bad value of an option', 'ist: true', 'ist: yes', '3:83', 'option "ist" of host "xen" is "yes"', 'yes', 'true or false'],
  ['an unknown delivery', '[idt, fred]', '[idt, frd]', '3:52', 'host "xen" has no delivery "frd" (in cell frd)', `"${AXIS}"`, 'did you mean "fred"?'],
  ['delivery and cmdline both', 'options: {', 'cmdline: fred=1, options: {', '3:67', '"delivery" and "cmdline" both decide about delivery', 'cmdline'],
  ['an unknown revision', 'options: {', 'revision: upstram, options: {', '3:77', 'option "revision" of host "xen" is "upstram"', 'upstram'],
  ['an unknown axis', `"${AXIS}"`, `"${MISSPELT}"`, '3:52', `"${MISSPELT}" names no axis of the matrix`, `"${MISSPELT}"`, 'did you mean "delivery"?'],
  ['an unknown axis in a condition', '{ outcome', '{ when: { delivry: idt }, outcome', '12:15', 'the matrix has no axis "delivry"', 'delivry', 'did you mean "delivery"?'],
  ['an unknown value of an axis', '{ outcome', '{ unless: { delivery: it }, outcome', '12:27', 'axis "delivery" has no value "it"', 'it', 'did you mean "idt"?'],
  ['an unknown label', 'label: back', 'label: bakc', '10:32', 'unknown label "bakc"', 'bakc', 'did you mean "back"?'],
  ['an unknown event', 'event: nmi', 'event: nim', '10:14', 'unknown event "nim"', 'nim', 'did you mean "nmi"?'],
  ['a vector out of range', 'event: nmi', 'event: interrupt, vector: 300', '10:33', '300 is too large for "vector"', '300', 'most: 255'],
  ['no moment', '{ label: back }', '{}', '10:19', '"at" needs one of label, address and step', 'at'],
  ['two moments', 'label: back', 'label: back, step: 2', '10:19', '"at" needs one of label, address and step, not label and step', 'at'],
  ['a CPU that is not there', 'label: back', 'label: back, cpu: 9', '10:43', 'there is no CPU 9', '9', 'the machine has CPU 0 only'],
  ['a schedule of another kind', 'expect:', 'schedule: 3\nexpect:', '11:11', '"schedule" cannot be 3', '3'],
  ['a schedule without a seed', 'expect:', 'schedule: {}\nexpect:', '11:1', '"seed" is missing in "schedule"', 'schedule'],
  ['a schedule of too many CPUs', 'expect:', 'schedule: [0, 1]\nexpect:', '11:1', 'the schedule names CPU 1, and the machine has 1', 'schedule'],
  ['an unknown expectation', 'outcome: done', 'outcom: done', '12:7', 'unknown expectation "outcom"', 'outcom', 'did you mean "outcome"?'],
  ['an unknown outcome', 'outcome: done', 'outcome: don', '12:16', '"outcome" cannot be "don"', 'don', 'did you mean "done"?'],
  ['an expectation without a value', 'outcome: done', 'outcome:', '12:7', '"outcome" cannot be nothing', 'outcome'],
  ['an expectation that expects nothing', '{ outcome: done }', '{ when: { delivery: idt } }', '12:5', 'this expectation expects nothing', '{ when: { delivery: idt } }'],
  ['an unknown invariant', 'outcome: done', 'keeps: good-stak', '12:14', 'unknown invariant "good-stak"', 'good-stak', 'did you mean "good-stack"?'],
  ['an unknown register', 'outcome: done', 'registers: { rxa: 1 }', '12:20', 'unknown register "rxa"', 'rxa', 'did you mean "rax"?'],
  ['an unknown MSR', 'outcome: done', 'msr: { IA32_LSTRA: 1 }', '12:14', 'unknown MSR "IA32_LSTRA"', 'IA32_LSTRA', 'did you mean "IA32_LSTAR"?'],
  ['an unknown key of a frame', 'outcome: done', 'frame: { typ: nmi }', '12:16', 'unknown key "typ"', 'typ', 'did you mean "type"?'],
  ['an unknown event of a frame', 'outcome: done', 'frame: { event: "#PFF" }', '12:23', 'unknown event "#PFF"', '"#PFF"', 'did you mean "#PF"?'],
  ['an unknown stack', 'outcome: done', 'frame: { on: primry }', '12:20', 'unknown region "primry"', 'primry', 'did you mean "primary"?'],
  ['a frame that may be any', 'outcome: done', 'frame: {}', '12:14', 'this frame may be any frame: say what it must have', '{}'],
  ['an unknown area', 'outcome: done', 'never: { write: gest }', '12:23', 'unknown area "gest"', 'gest', 'did you mean "guest"?'],
  ['an unknown type of trace entry', 'outcome: done', 'trace: [{ type: evnt }]', '12:23', 'unknown trace type "evnt"', 'evnt', 'did you mean "event"?'],
  ['memory without a value', 'outcome: done', 'memory: [{ address: start }]', '12:16', 'a place in memory needs one of bytes, u8, u16, u32 and u64', '{ address: start }'],
  ['a label twice', '  start:', '  back:', '8:3', '"back" is defined twice', 'back', 'first in line 5'],
  ['a label of the host', 'start:', 'syscall_entry:', '5:3', 'the label "syscall_entry" is taken already', 'syscall_entry'],
  ['a program that is not there', 'expect:', 'start: kernel\nexpect:', '11:8', 'the scenario has no "kernel" program', 'kernel'],
  ['a folded program', 'guest: |', 'guest: >', '4:1', '"guest" loses its line ends when it is written like this', 'guest', 'write the program in a block: guest: |'],
  ['a line of a program that is indented less', '  back:', ' back:', '8:1', 'this is no YAML: ', ' ', 'no line of a block may be indented less than its first line'],
  ['YAML that is none', 'inject:', 'inject: [', '10:3', 'this is no YAML: ', '- { event: nmi, at: { label: back } }'],
  ['a key twice', 'expect:', 'name: y\nexpect:', '11:1', 'this is no YAML: this key is there twice', 'name'],
  ['a bare axis in braces', `"${AXIS}"`, AXIS, '3:53', 'this is no YAML: ', '{', `inside { } and [ ] write "${AXIS}" with the quotes`],
  ['a list for a name', 'name: x', 'name: [x]', '1:7', '"name" must be text, not a list', '[x]'],
  ['no name', 'name: x\n', '', '1:1', '"name" is missing', 'matrix: { delivery: [idt, fred] }'],
  ['code that the file would load', 'options: {', 'plugins: [./evil.mjs], options: {', '3:67', 'this scenario wants to load code, and a file runs no code unless you allow it', 'plugins', 'if you trust ./evil.mjs: --allow-plugins'],
]

describe('bad input is one clear message with its place, exit code 2, no stack trace', () => {
  test.each(ROWS.map((row) => ({ what: row[0], row })))('$what', async ({ row }) => {
    const [, from, to, at, message, under, hint] = row
    expect(GOOD).toContain(from)
    const text = GOOD.replace(from, to)
    const file = join(folderWith({ 'bad.yaml': text }), 'bad.yaml')
    const { code, out, err } = await trapframe('run', file)
    expect(err.split('\n')[0]).toContain(`${file}:${at}  ${message}`)
    expect(err.split(file), 'one message').toHaveLength(2)
    const [line, column] = at.split(':').map(Number) as [number, number]
    const [excerpt, caret] = err.split('\n').slice(-4, -2) as [string, string]
    const written = text.split('\n')[line - 1]!
    expect(excerpt).toBe(` >${String(line).padStart(3)} │ ${written}`)
    expect(written.slice(column - 1)).toMatch(new RegExp(`^${under.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`))
    const marks = `      │ ${' '.repeat(column - 1)}${'^'.repeat(under.length)}`
    if (hint === undefined) expect(caret.startsWith(marks)).toBe(true)
    else expect(caret).toBe(`${marks} ${hint}`)
    expect(err).not.toMatch(/\bat \S+ \(|internal error|Error:/)
    expect(out).toBe('1 scenario could not be read\n')
    expect(code).toBe(2)
  })

  test('several mistakes in one file are told together, in the order of the file', async () => {
    const file = join(
      folderWith({ 'bad.yaml': GOOD.replace('event: nmi', 'event: nim').replace('outcome: done', 'outcom: done') }),
      'bad.yaml',
    )
    const { err, code } = await trapframe('run', file)
    expect(err.match(/:\d+:\d+ {2}.*/g)).toEqual([':10:14  unknown event "nim"', ':12:7  unknown expectation "outcom"'])
    expect(code).toBe(2)
  })

  test('a scenario that cannot be read does not keep the others from running', async () => {
    const folder = folderWith({ 'a.yaml': GOOD.replace('syscall', 'syscal'), 'b.yaml': GOOD })
    const { code, out, err } = await trapframe('run', folder)
    expect(err).toContain('there is no instruction "syscal"')
    expect(out).toContain('2 scenarios, 2 cells: 2 passed, 0 failed, 1 scenario could not be read\n')
    expect(code).toBe(2)
  })
})

describe('files', () => {
  test('a missing file, with the nearest name', async () => {
    const folder = folderWith({ 'syscall-gap.yaml': GOOD })
    const { code, err } = await trapframe('run', join(folder, 'syscal-gap.yaml'))
    expect(err).toBe(
      `error: there is no file ${folder}/syscal-gap.yaml\n  did you mean "${folder}/syscall-gap.yaml"?\n`,
    )
    expect(code).toBe(2)
  })

  test('a folder without scenarios', async () => {
    const folder = folderWith({ 'readme.md': '' })
    const { code, err } = await trapframe('run', folder)
    expect(err).toBe(`error: there is no scenario (.yaml) in ${folder}\n`)
    expect(code).toBe(2)
  })

  test('a file that is no text', async () => {
    const file = join(folderWith({ 'x.yaml': Uint8Array.of(0, 1, 2) }), 'x.yaml')
    const { code, err } = await trapframe('run', file)
    expect(err).toContain(`error: ${file} is no text\n  a scenario is a YAML file\n`)
    expect(code).toBe(2)
  })

  test('an empty file', async () => {
    const file = join(folderWith({ 'x.yaml': '' }), 'x.yaml')
    const { code, err } = await trapframe('run', file)
    expect(err).toContain(`${file}:1:1  the file is empty`)
    expect(code).toBe(2)
  })

  test('what the model does not have stops the run at the line that met it', async () => {
    const file = join(folderWith({ 'x.yaml': GOOD.replace('mov rax, 1', 'rdrand rax') }), 'x.yaml')
    const { code, err } = await trapframe('run', file)
    expect(err).toMatch(
      /x\.yaml:6:5 {2}instruction "rdrand" at 0x[0-9a-f]+ is not modelled under idt: rdrand rax \(in cell idt\)/,
    )
    expect(err).toContain(
      ' >  6 │     rdrand rax\n      │     ^^^^^^ trapframe stops rather than guess what it would do',
    )
    expect(code).toBe(2)
  })
})
