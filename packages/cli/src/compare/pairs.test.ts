import { expect, test } from 'vitest'
import { cellName, expand } from '../scenario/matrix.js'
import { pairCells } from './pairs.js'

const cells = (matrix: Record<string, (string | boolean)[]>, exclude: Record<string, (string | boolean)[]>[] = []) =>
  expand(matrix, exclude).map((axes) => ({ cell: { name: cellName(axes), axes } }))

test('cells that differ only in their delivery are a pair', () => {
  const { groups, others } = pairCells(cells({ delivery: ['idt', 'fred'], smap: [true, false] }))
  expect(groups.map((group) => group.map(({ cell }) => cell.name))).toEqual([
    ['idt, smap: true', 'fred, smap: true'],
    ['idt, smap: false', 'fred, smap: false'],
  ])
  expect(others).toEqual([])
})

test('a cell without a counterpart goes with the one of its delivery that it is most like', () => {
  const matrix = { delivery: ['idt', 'fred'], ist: [true, false], smap: [true, false] }
  const { groups, others } = pairCells(cells(matrix, [{ delivery: ['fred'], ist: [false] }]))
  expect(groups).toHaveLength(2)
  expect(others.map(({ item, like }) => [item.cell.name, like.cell.name])).toEqual([
    ['idt, ist: false, smap: true', 'idt, ist: true, smap: true'],
    ['idt, ist: false, smap: false', 'idt, ist: true, smap: false'],
  ])
})

test('without the axis there is no pair', () => {
  expect(pairCells(cells({ smap: [true, false] })).groups).toEqual([])
})
