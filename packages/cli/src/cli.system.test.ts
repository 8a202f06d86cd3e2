import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const bin = join(root, 'packages/cli/dist/bin.js')
const gap = 'scenarios/nmi-in-syscall-gap.yaml'

const folder = mkdtempSync(join(tmpdir(), 'trapframe-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The built command, in the root of the repository, without a terminal and without wishes for colour. */
function trapframe(words: readonly string[], environment: Record<string, string> = {}): SpawnSyncReturns<string> {
  const { NO_COLOR: _no, FORCE_COLOR: _force, ...rest } = process.env
  return spawnSync(process.execPath, [bin, ...words], {
    cwd: root,
    encoding: 'utf8',
    env: { ...rest, ...environment },
  })
}

describe('the built command', () => {
  test('every scenario of the repository passes, each step made twice', () => {
    const { status, stdout, stderr } = trapframe(['run', 'scenarios/', '--check'])
    expect(stderr).toBe('')
    expect(stdout).toMatch(/\n\d+ scenarios, \d+ cells: \d+ passed, 0 failed\n$/)
    expect(status).toBe(0)
  })

  test('compare shows the SYSCALL gap side by side', () => {
    const { status, stdout } = trapframe(['compare', gap])
    expect(status).toBe(0)
    expect(stdout).toContain("RSP 7fff0000, still the guest's ✗")
    expect(stdout).toContain('✗ good-stack: NMI frame written to 7ffeffd8, guest memory, at step 3 (as expected)')
    expect(stdout).toContain('2 passed, 1 violated as expected')
  })

  test('--help and --version', () => {
    expect(trapframe(['--help'])).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringContaining('Commands\n  run '),
    })
    expect(trapframe(['--version'])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })

  test('exit code 0 when everything holds, 1 when an expectation fails, 2 when a file or the command line is wrong', () => {
    const failing = join(folder, 'failing.yaml')
    const wrong = join(folder, 'wrong.yaml')
    writeFileSync(failing, 'name: x\nguest: nop\nexpect: [{ outcome: halted }]\n')
    writeFileSync(wrong, 'name: x\nguest: |\n  syscal\n')
    expect(trapframe(['run', gap]).status).toBe(0)
    expect(trapframe(['run', failing]).status).toBe(1)
    expect(trapframe(['run', wrong]).status).toBe(2)
    expect(trapframe(['run', failing, wrong, gap]).status).toBe(2)
    expect(trapframe(['run', '--jsn', gap]).status).toBe(2)
    expect(trapframe(['walk']).status).toBe(2)
  })

  test('run --json prints one object, and the mistakes of what cannot be read both in it and on stderr', () => {
    const wrong = join(folder, 'wrong.yaml')
    writeFileSync(wrong, 'name: x\nguest: |\n  syscal\n')
    const { status, stdout, stderr } = trapframe(['run', '--json', gap, wrong])
    const report = JSON.parse(stdout)
    expect(report.totals).toEqual({
      scenarios: 2,
      unreadable: 1,
      cells: 3,
      passed: 3,
      failed: 0,
      expectations: expect.any(Number),
    })
    expect(report.unreadable).toEqual([
      {
        file: wrong,
        errors: [{ message: expect.stringContaining('syscal'), line: 3, column: 3, hint: 'did you mean "syscall"?' }],
      },
    ])
    expect(report.scenarios[0].cells[1]).toMatchObject({
      name: 'idt, ist: false',
      axes: { delivery: 'idt', ist: false },
      passed: true,
      violations: [{ invariant: 'good-stack', step: 3, cpu: 0 }],
    })
    expect(stderr).toContain('did you mean "syscall"?')
    expect(status).toBe(2)
  })

  test('no colours in a pipe; FORCE_COLOR and NO_COLOR are obeyed', () => {
    expect(trapframe(['run', gap]).stdout).not.toContain('\u001b')
    expect(trapframe(['run', gap], { FORCE_COLOR: '1' }).stdout).toContain('\u001b[')
    expect(trapframe(['run', gap], { FORCE_COLOR: '0' }).stdout).not.toContain('\u001b')
    expect(trapframe(['run', gap], { NO_COLOR: '1' }).stdout).not.toContain('\u001b')
    expect(trapframe(['run', 'nothing.yaml'], { FORCE_COLOR: '1' }).stderr).toContain('\u001b[')
  })

  test('a reader that goes away is no error', async () => {
    const child = spawn(process.execPath, [bin, 'compare', gap, '--json'], { cwd: root })
    let stderr = ''
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.stdout.destroy()
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(stderr).toBe('')
    expect(code).toBe(0)
  })

  test('a plugin of somebody else comes by --plugin; a file may not load code by itself', () => {
    writeFileSync(
      join(folder, 'plugin.mjs'),
      `export const zero = { name: 'zero', setup(host) {
        host.instructions.define({ mnemonic: 'rdrand', execute: (cpu) => cpu.setGpr(0, 7n) })
      } }\n`,
    )
    const plain = join(folder, 'plain.yaml')
    const own = join(folder, 'own.yaml')
    const text = 'name: x\nguest: rdrand rax\nexpect: [{ registers: { rax: 7 } }]\n'
    writeFileSync(plain, text)
    writeFileSync(own, `${text}machine: { plugins: [./plugin.mjs] }\n`)
    expect(trapframe(['run', plain]).status).toBe(2)
    expect(trapframe(['run', plain, '--plugin', join(folder, 'plugin.mjs')]).status).toBe(0)
    const refused = trapframe(['run', own])
    expect(refused.status).toBe(2)
    expect(refused.stderr).toContain('a file runs no code unless you allow it')
    expect(trapframe(['run', own, '--allow-plugins']).status).toBe(0)
    const twice = trapframe(['run', own, '--allow-plugins', '--plugin', join(folder, 'plugin.mjs')])
    expect(twice.status).toBe(2)
    expect(twice.stderr).toContain('plugin "zero" is loaded twice')
    const missing = trapframe(['run', plain, '--plugin', './nothing.mjs'])
    expect(missing.status).toBe(2)
    expect(missing.stderr).toMatch(/^error: plugin ".\/nothing\.mjs" was not found\n/)
  })
})
