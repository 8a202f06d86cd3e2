import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'
import { writeElf } from '../../test/elf-writer.js'

/**
 * Kinds of mistakes that people make: each is one message with file, line and column, a caret under the offence, and what to
 * do about it; exit code 2, no stack trace. Those of the grammar alone are in `bad-input.test.ts`, more of configs in
 * `../config/config.test.ts`.
 */
interface Mistake {
  readonly what: string
  /** File name and text of what has the mistake; the scenario where it is named so. */
  readonly files: Readonly<Record<string, string | Uint8Array>>
  /** `file:line:column`. */
  readonly at: string
  readonly message: string
  readonly under: string
  /** What stands behind the caret. */
  readonly hint: string
  readonly words?: readonly string[]
}

const FLAT = 'name: x\nmachine: { host: flat-fred }\n'
const PLUGGED = 'name: x\nmachine: { host: flat-fred, plugins: [./p.mjs] }\n'
const ALLOWED = ['--allow-plugins']
const verb = (body: string): string =>
  `export const p = { name: 'acme', setup(host) { host.add({ name: 'cli/expectations', combine: 'all' }, 'shiny', ${body}) } }\n`
const ANY = '{ safeParse: (data) => ({ success: true, data }) }'

const scenario = (
  what: string,
  text: string,
  at: string,
  message: string,
  under: string,
  hint: string,
  more: Partial<Mistake> = {},
): Mistake => {
  const { files = {}, ...rest } = more
  return { what, files: { 'x.yaml': text, ...files }, at: `x.yaml:${at}`, message, under, hint, ...rest }
}

const config = (what: string, text: string, at: string, message: string, under: string, hint: string): Mistake => ({
  what,
  files: { 'x.yaml': FLAT, 'c.json': text },
  at: `c.json:${at}`,
  message,
  under,
  hint,
  words: ['--config', 'c.json'],
})

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: that is how scenarios write an axis
// biome-ignore format: a table reads by its rows
const MISTAKES: readonly Mistake[] = [
  // scenarios
  scenario('a misspelt key', `${FLAT}gest: nop\n`, '3:1', 'unknown key "gest"', 'gest', 'did you mean "guest"?'),
  scenario('a misspelt instruction', `${FLAT}guest: |\n  syscal\n`, '4:3', 'there is no instruction "syscal"', 'syscal', 'did you mean "syscall"?'),
  scenario('a misspelt label', `${FLAT}guest: |\n  back: nop\ninject: [{ event: nmi, at: { label: bakc } }]\n`, '5:37', 'unknown label "bakc"', 'bakc', 'did you mean "back"?'),
  scenario('a misspelt event', `${FLAT}inject: [{ event: nim, at: { step: 1 } }]\n`, '3:19', 'unknown event "nim"', 'nim', 'did you mean "nmi"?'),
  scenario('a misspelt register', `${FLAT}expect: [{ registers: { rxa: 1 } }]\n`, '3:25', 'unknown register "rxa"', 'rxa', 'did you mean "rax"?'),
  scenario('a misspelt MSR', `${FLAT}expect: [{ msr: { IA32_LSTRA: 1 } }]\n`, '3:19', 'unknown MSR "IA32_LSTRA"', 'IA32_LSTRA', 'did you mean "IA32_LSTAR"?'),
  scenario('a misspelt flag', `${FLAT}expect: [{ flags: { iff: true } }]\n`, '3:21', 'unknown key "iff"', 'iff', 'did you mean "if"?'),
  scenario('a misspelt fact', 'name: x\nexpect: [{ facts: { pv23: true } }]\n', '2:21', 'unknown fact "pv23"', 'pv23', 'did you mean "pv32"?'),
  scenario('a misspelt field of the trace', `${FLAT}expect: [{ never: { trace: { type: event, vectr: 3 } } }]\n`, '3:43', 'unknown field "vectr"', 'vectr', 'did you mean "vector"?'),
  scenario('a number that is too large', `${FLAT}inject: [{ event: interrupt, vector: 256, at: { step: 1 } }]\n`, '3:38', '256 is too large for "vector"', '256', 'most: 255'),
  scenario('hexadecimal without 0x', `${FLAT}expect: [{ registers: { rax: 12zz } }]\n`, '3:30', '"12zz" is not a number', '12zz', ''),
  scenario('a matrix that is too large', `${FLAT}matrix: { a: [${Array.from({ length: 40 }, (_, i) => i)}], b: [${Array.from({ length: 40 }, (_, i) => i)}] }\n`, '3:1', 'the matrix has 1600 cells', 'matrix', 'most: 1024'),
  scenario('an axis without quotes in braces', 'name: x\nmatrix: { a: [1] }\nmachine: { cpus: ${a} }\n', '3:19', 'this is no YAML', '{', 'inside { } and [ ] write "${a}" with the quotes'),
  scenario('a tab', 'name: x\nmachine:\n\thost: xen\n', '3:1', 'this is no YAML: YAML does not allow tabs in the indentation', '', ''),
  scenario('the same key twice', 'name: x\nname: y\n', '2:1', 'this is no YAML: this key is there twice', 'name', ''),
  scenario('a host that cannot do it', 'name: x\nmachine: { cpu: skylake, delivery: fred }\n', '2:17', 'delivery "fred" was asked for, and Xen decides for idt', 'skylake', ''),
  scenario('a snapshot twice', `${FLAT}expect: [{ snapshot: a }, { snapshot: a }]\n`, '3:39', 'snapshot "a" is there twice', 'a', 'each has a name of its own'),
  scenario('an image that is not there', `${FLAT}guest: { elf: kernle.elf }\n`, '3:15', 'there is no file "kernle.elf"', 'kernle.elf', 'did you mean "kernel.elf"?', { files: { 'kernel.elf': '' } }),
  scenario('an image that is none', `${FLAT}guest: { elf: a.elf }\n`, '3:15', '"a.elf" cannot be loaded: it is no ELF file', 'a.elf', 'assembly is written in the scenario itself, after |', { files: { 'a.elf': 'text' } }),
  scenario('a symbol that is not there', `${FLAT}guest: { elf: a.elf, entry: mian }\n`, '3:29', 'unknown symbol "mian"', 'mian', 'did you mean "main"?', { files: { 'a.elf': writeElf({ code: 'main: nop' }) } }),
  scenario('an image outside of the folder', `${FLAT}guest: { elf: /bin/sh }\n`, '3:15', '"/bin/sh" lies outside of the scenario\'s folder', '/bin/sh', 'a scenario reads files beside and below it only; if you trust it: --allow-files'),
  // configs
  config('a misspelt key of a config', '{\n  "reporters": "tap"\n}\n', '2:3', 'unknown key "reporters"', '"reporters"', 'did you mean "reporter"?'),
  config('too many workers', '{ "workers": 1000 }\n', '1:14', '1000 is too large for "workers"', '1000', 'most: 256'),
  config('a text for a switch', '{ "allowPlugins": "yes" }\n', '1:19', '"allowPlugins" must be true or false, not "yes"', '"yes"', ''),
  config('a plugin of a config that is not there', '{ "plugins": ["./a.mjs"] }\n', '1:15', 'plugin "./a.mjs" was not found', '"./a.mjs"', 'looked for in'),
  // plugins
  scenario('a plugin without permission', PLUGGED, '2:29', 'this scenario wants to load code, and a file runs no code unless you allow it', 'plugins', 'if you trust ./p.mjs: --allow-plugins'),
  scenario('a plugin that is not there', PLUGGED, '2:29', 'plugin "./p.mjs" was not found', 'plugins', 'looked for in', { words: ALLOWED }),
  scenario('a module that exports no plugin', PLUGGED, '2:29', '"./p.mjs" exports no plugin', 'plugins', 'export what definePlugin() gives, or a function named "plugin" that returns it', { words: ALLOWED, files: { 'p.mjs': 'export const x = 1\n' } }),
  scenario('a module that fails', PLUGGED, '2:29', 'plugin "./p.mjs" failed: no luck', 'plugins', 'looked for in', { words: ALLOWED, files: { 'p.mjs': 'throw new Error("no luck")\n' } }),
  scenario('a plugin whose setup fails', PLUGGED, '2:29', 'plugin "acme" of "./p.mjs" failed: host.nothing is not a function', 'plugins', 'its setup() throws', { words: ALLOWED, files: { 'p.mjs': "export const p = { name: 'acme', setup(host) { host.nothing() } }\n" } }),
  scenario('a plugin that takes a name which is taken', PLUGGED, '2:29', 'plugins "acme" and "cli" both give slot "cli/expectations" "outcome"', 'plugins', '', { words: ALLOWED, files: { 'p.mjs': verb('{}').replace('shiny', 'outcome') } }),
  scenario('a verb of a plugin without a schema', `${PLUGGED}expect: [{ shiny: 1 }]\n`, '3:12', '"shiny" of plugin "acme" failed: ', 'shiny', 'this is a mistake in the plugin', { words: ALLOWED, files: { 'p.mjs': verb('{ bind() {} }') } }),
  scenario('a verb of a plugin that fails to bind', `${PLUGGED}expect: [{ shiny: 1 }]\n`, '3:12', '"shiny" of plugin "acme" failed: oh', 'shiny', 'this is a mistake in the plugin', { words: ALLOWED, files: { 'p.mjs': verb(`{ schema: ${ANY}, bind() { throw new Error('oh') } }`) } }),
  scenario('a verb of a plugin that fails to judge', `${PLUGGED}expect: [{ shiny: 1 }]\n`, '3:12', '"shiny" of plugin "acme" failed: oh', 'shiny', 'this is a mistake in the plugin', { words: ALLOWED, files: { 'p.mjs': verb(`{ schema: ${ANY}, bind: () => ({ verdict() { throw new Error('oh') } }) }`) } }),
]
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: the table ends

describe('a mistake is one message with file, line, column, caret and a suggestion', () => {
  test.each(MISTAKES)('$what', async ({ files, at, message, under, hint, words = [] }) => {
    const folder = folderWith({})
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
    const given = words.map((word) => (word in files ? join(folder, word) : word))
    const { code, err } = await trapframe('run', join(folder, 'x.yaml'), ...given)
    const head = err.split('\n')[0]!
    expect(head).toContain(`${at}  ${message}`)
    const [name, line, column] = at.split(':') as [string, string, string]
    const written = String(files[name]).split('\n')[Number(line) - 1]!
    expect(written.slice(Number(column) - 1).startsWith(under)).toBe(true)
    const caret = err.split('\n').find((row) => /^ +│ +\^/.test(row))!
    expect(caret.indexOf('^') - caret.indexOf('│') - 2, 'the caret stands under the offence').toBe(Number(column) - 1)
    expect(caret).toContain(hint)
    expect(err).not.toMatch(/\bat \S+ \(|internal error|node:internal/)
    expect(code).toBe(2)
  })
})
