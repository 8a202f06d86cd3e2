import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { createMachine, raise } from '@trapframe/core'
import { expect, test } from 'vitest'
import { readFrame } from './frame.js'
import { idt } from './plugin.js'

const textOf = (path: string): string => readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8')

test('README: the example is what runs here, and prints what the README says', () => {
  const machine = createMachine({ cpu: 'skylake', plugins: [idt()] })
  machine.boot('flat-idt')
  raise(machine.cpu, { kind: 'hardwareException', vector: 14, errorCode: 0b110, eventData: 0xdead_b000n })
  const printed = inspect(readFrame(machine.cpu, 14))

  const [, code = '', output = ''] = /```ts\n(.*?)```\n\n```\n(.*?)\n```/s.exec(textOf('../README.md')) ?? []
  const statements = code.split('\n').filter((line) => /^(const|machine|raise)/.test(line))
  expect(statements).toHaveLength(3)
  for (const statement of statements) expect(textOf('readme.test.ts')).toContain(statement)
  expect(output).toBe(printed)
})
