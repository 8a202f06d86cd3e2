import { expect, test } from 'vitest'
import { results } from './test-machine.js'

const RAX = 0x8000_0000_8000_8080n
const RDX = 0x1111_1111_1111_1111n

test.each([
  ['cbw', { rax: 0x8000_0000_8000_ff80n }],
  ['cwde', { rax: 0xffff_8080n }],
  ['cdqe', { rax: 0xffff_ffff_8000_8080n }],
  ['cwd', { rdx: 0x1111_1111_1111_ffffn }],
  ['cdq', { rdx: 0xffff_ffffn }],
  ['cqo', { rdx: 0xffff_ffff_ffff_ffffn }],
])('%s', (source, after) => {
  expect(results(source, { registers: { rax: RAX, rdx: RDX } })).toEqual(after)
})

test('a positive accumulator extends to 0', () => {
  expect(results('cqo', { registers: { rax: 1n, rdx: RDX } })).toEqual({ rdx: 0n })
})
