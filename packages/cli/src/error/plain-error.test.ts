import { UserError } from '@trapframe/core'
import { expect, test } from 'vitest'
import { plainError, userError } from './plain-error.js'
import { ScenarioError, ScenarioErrors } from './scenario-error.js'

test('mistakes survive the way from one thread to another, with places, hints and source', () => {
  const place = { file: 'a.yaml', line: 3, column: 2, length: 4 }
  const many = new ScenarioErrors('a.yaml', 'name: x', [
    new ScenarioError('one', place, 'try'),
    new ScenarioError('two', undefined),
  ])
  const back = userError(structuredClone(plainError(many)))
  expect(back).toBeInstanceOf(ScenarioErrors)
  expect(back).toMatchObject({ file: 'a.yaml', source: 'name: x', message: 'two; one' })
  expect((back as ScenarioErrors).errors.map(({ message, place: at, hint }) => ({ message, at, hint }))).toEqual([
    { message: 'two', at: undefined, hint: undefined },
    { message: 'one', at: place, hint: 'try' },
  ])
  const plain = userError(structuredClone(plainError(new UserError('code', 'text', { hint: 'hint' }))))
  expect(plain).toMatchObject({ code: 'code', message: 'text', hint: 'hint', place: undefined })
})
