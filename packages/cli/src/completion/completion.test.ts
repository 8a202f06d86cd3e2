import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'
import { COMMANDS } from '../command/tree.js'

const scriptOf = async (shell: string): Promise<string> => (await trapframe('completion', shell)).out

/** Whether a shell is there. */
const has = (shell: string): boolean => spawnSync(shell, ['-c', 'exit 0']).status === 0

describe('bash', () => {
  const complete = async (...words: readonly string[]): Promise<string[]> => {
    const folder = folderWith({ 'gap.yaml': '', 'two words.yaml': '', script: await scriptOf('bash') })
    const quoted = words.map((word) => `'${word}'`).join(' ')
    const code = `source ./script; COMP_WORDS=(trapframe ${quoted}); COMP_CWORD=${words.length}; _trapframe; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout, stderr } = spawnSync('bash', ['-c', code], { cwd: folder, encoding: 'utf8' })
    expect(stderr).toBe('')
    return stdout.split('\n').filter((line) => line !== '')
  }

  test.runIf(has('bash'))('commands, options, words of options, files', async () => {
    expect(await complete('com')).toEqual(['compare', 'completion'])
    expect(await complete('')).toEqual([...Object.keys(COMMANDS), 'help', '--help', '--version'])
    expect(await complete('help', 'ru')).toEqual(['run'])
    expect(await complete('run', '--rep')).toEqual(['--reporter'])
    expect(await complete('run', '--reporter', 'j')).toEqual(['jsonl', 'json', 'junit'])
    expect(await complete('run', '--bail', 'g')).toEqual(['gap.yaml'])
    expect(await complete('run', 'two')).toEqual(['two words.yaml'])
    expect(await complete('run', '-t', '')).toEqual([])
    expect(await complete('completion', '')).toEqual(['bash', 'zsh', 'fish'])
  })
})

test.each(['zsh', 'fish'])('%s names every command, and parses where the shell is there', async (shell) => {
  const script = await scriptOf(shell)
  for (const name of Object.keys(COMMANDS)) expect(script).toContain(name)
  expect(script).toContain('reporter')
  expect(script).toContain('pretty jsonl json junit tap github')
  if (!has(shell)) return
  const { stderr, status } = spawnSync(shell, ['-n', join(folderWith({ script }), 'script')], { encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(status).toBe(0)
})

test('an unknown shell', async () => {
  const { err, code } = await trapframe('completion', 'fihs')
  expect(err).toBe('error: there is no completion for "fihs"\n  did you mean "fish"?\n')
  expect(code).toBe(2)
})
