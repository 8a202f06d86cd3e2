import { describe, expect, test } from 'vitest'
import { ScenarioErrors } from '../error/scenario-error.js'
import { parseScenario } from './parse.js'

function mistakes(text: string): string[] {
  try {
    parseScenario('x.yaml', text)
  } catch (error) {
    if (!(error instanceof ScenarioErrors)) throw error
    return error.errors.map(({ message, place }) => `${place?.line}:${place?.column} ${message}`)
  }
  return []
}

describe('parseScenario', () => {
  test('what is left out has its default', () => {
    const { cells, steps, schedule, refs } = parseScenario('x.yaml', 'name: x\n')
    expect([steps, schedule, refs]).toEqual([1000, { kind: 'round-robin' }, []])
    expect(cells).toEqual([
      {
        name: '',
        axes: {},
        machine: { cpu: 'panther-lake', cpus: 1, host: 'xen', options: {}, plugins: [] },
        start: [],
        setup: [],
        inject: [],
        expect: [],
        explore: {},
      },
    ])
  })

  test('each cell has its own values in machine, inject and expect', () => {
    const text = `
name: x
matrix: { vector: [0x20, 0x80], smap: [true] }
machine: { options: { smap: "\${smap}" } }
guest: nop
inject:
  - { event: interrupt, vector: "\${vector}", at: { step: 1 } }
expect:
  - { registers: { rax: "\${vector}" } }
`
    const cells = parseScenario('x.yaml', text).cells
    expect(cells.map(({ name }) => name)).toEqual(['vector: 32, smap: true', 'vector: 128, smap: true'])
    expect(cells.map(({ inject }) => inject[0]?.rest)).toEqual([{ vector: 32n }, { vector: 128n }])
    expect(cells[1]?.machine.options).toEqual({ smap: true })
    expect(cells[1]?.expect[0]?.verbs[0]?.value).toEqual({ rax: 128n })
  })

  test('when and unless choose the cells of an expectation', () => {
    const text = `
name: x
matrix: { delivery: [idt, fred], ist: [true, false] }
expect:
  - { when: { ist: false, delivery: [idt, fred] }, outcome: done }
  - { unless: { delivery: fred, ist: true }, cpl: 3 }
`
    const cells = parseScenario('x.yaml', text).cells
    const verbs = cells.map((cell) => cell.expect.flatMap((one) => one.verbs.map(({ name }) => name)))
    expect(verbs).toEqual([['cpl'], ['outcome', 'cpl'], [], ['outcome', 'cpl']])
  })

  test('CPUs start at the first program unless the file says otherwise', () => {
    expect(parseScenario('x.yaml', 'name: x\nkernel: nop\n').cells[0]?.start).toEqual(['kernel'])
    expect(parseScenario('x.yaml', 'name: x\nkernel: nop\nguest: nop\n').cells[0]?.start).toEqual(['guest'])
    const text = 'name: x\nkernel: nop\nguest: nop\nstart: [kernel, { program: guest, label: a }]\n'
    expect(parseScenario('x.yaml', text).cells[0]?.start).toEqual(['kernel', { program: 'guest', label: 'a' }])
  })

  test('an expectation that no cell meets is a mistake, for it would never be checked', () => {
    const text = `name: x
matrix: { delivery: [idt, fred], ist: [true, false] }
exclude: [{ delivery: fred, ist: false }]
expect:
  - { when: { delivery: fred, ist: false }, outcome: done }
`
    expect(mistakes(text)).toEqual(['5:5 this expectation holds for no cell of the matrix'])
  })

  test('a matrix that has a value twice, an empty axis, or nothing left', () => {
    expect(mistakes('name: x\nmatrix: { a: [1, 2, 1] }\n')).toEqual(['2:21 axis "a" has 1 twice'])
    expect(mistakes('name: x\nmatrix: { a: [] }\n')).toEqual(['2:14 "a" must not be empty'])
    expect(mistakes('name: x\nmatrix: { a: [1] }\nexclude: [{ a: 1 }]\n')).toEqual([
      '3:1 nothing is left of the matrix',
    ])
    expect(mistakes('name: x\nmatrix: { a: [1] }\nexclude: [{ b: 1 }, { a: 2 }]\n')).toEqual([
      '3:13 the matrix has no axis "b"',
      '3:26 axis "a" has no value 2',
    ])
  })

  test('a matrix of too many cells', () => {
    const axis = `[${Array.from({ length: 17 }, (_, n) => n).join(', ')}]`
    expect(mistakes(`name: x\nmatrix: { a: ${axis}, b: ${axis}, c: ${axis} }\n`)).toEqual([
      '2:1 the matrix has 4913 cells',
    ])
  })

  test('mistakes that only some cells make name the first of them', () => {
    const text = `name: x\nmatrix: { cpus: [1, 200, 300] }\nmachine: { cpus: "$\{cpus}" }\n`
    expect(mistakes(text)).toEqual([
      '3:18 200 is too large for "cpus" (in cell cpus: 200)',
      '3:18 300 is too large for "cpus" (in cell cpus: 300)',
    ])
  })

  test('anchors and aliases of YAML lead to the place of what they stand for', () => {
    const text = 'name: x\nmachine: &m { cpus: 0 }\n'
    expect(mistakes(text)).toEqual(['2:21 0 is too small for "cpus"'])
    expect(mistakes('name: x\nlimits: &l { steps: 0 }\nabout: *l\n')).toEqual([
      '2:21 0 is too small for "steps"',
      '3:8 "about" must be text, not keys with values',
    ])
  })
})

describe('the place of a program', () => {
  test.each([
    ['a block', 'name: x\nguest: |\n\n    mov eax, 1\n    nop\n', 3, 5],
    ['a block with an indentation of its own', 'name: x\nguest: |2\n      nop\n', 3, 3],
    ['a block with CR LF', 'name: x\r\nguest: |\r\n  nop\r\n', 3, 3],
    ['text on one line', 'name: x\nguest: nop\n', 2, 8],
    ['quoted text', 'name: x\nguest: "nop"\n', 2, 9],
    ['quoted text inside of braces', '{ name: x, guest: "nop" }\n', 1, 20],
  ])('%s', (_what, text, line, column) => {
    expect(parseScenario('x.yaml', text).programs.guest).toMatchObject({ line, column })
  })
})
