import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const bin = fileURLToPath(new URL('../../dist/bin.js', import.meta.url))

function decode(input: string | Uint8Array, ...words: string[]) {
  return spawnSync(process.execPath, [bin, 'decode', ...words], { input, encoding: 'utf8' })
}

test('a log on standard input', () => {
  const { status, stdout, stderr } = decode(
    '[  186.393813] BUG: invalid or fatal FRED event; event type 4 vector 2 error 0x0 aux 0x0 at 0010:ffffcbed0fa27f26\n',
  )
  expect([status, stderr]).toEqual([0, ''])
  expect(stdout).toContain('INT 2: a software interrupt with the NMI’s number.')
})

test('a frame on standard input, named by -', () => {
  const { status, stdout } = decode('00'.repeat(64), '--json', '-')
  expect(status).toBe(0)
  expect(JSON.parse(stdout).findings[0].kind).toBe('frame')
})

test('nothing on standard input', () => {
  const { status, stdout, stderr } = decode('')
  expect([status, stdout]).toEqual([2, ''])
  expect(stderr).toContain('there are no hex digits in it')
})
