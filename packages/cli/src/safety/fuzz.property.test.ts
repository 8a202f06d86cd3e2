import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMachine, UserError } from '@trapframe/core'
import { assemble } from '@trapframe/isa'
import fc from 'fast-check'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { writeElf } from '../../test/elf-writer.js'
import { PANIC_DECODERS } from '../decode/panic.js'
import { panicDecoders } from '../decode/plugin.js'
import { recognise } from '../decode/recognise.js'
import { readElf } from '../elf/read.js'
import { judge } from '../run/judge.js'
import { parseScenario } from '../scenario/parse.js'
import { openScenario } from '../session/open.js'
import { officialPlugins } from '../session/plugins.js'
import { runCell } from '../session/run-cell.js'
import { readVectors } from '../vectors/read.js'
import { runVectors } from '../vectors/run.js'
import { stateFormat } from '../vectors/state-format.js'

vi.setConfig({ testTimeout: 120_000 })

/**
 * What a stranger gives us: whatever the bytes, the answer is a result or an error of ours, soon. The seed is fixed, so
 * that a run is the same every time; TRAPFRAME_FUZZ multiplies the number of runs and takes a seed of its own.
 */
const times = Number(process.env.TRAPFRAME_FUZZ ?? 1)
const options = (runs: number) => ({ numRuns: Math.ceil(runs * times), ...(times === 1 ? { seed: 20261122 } : {}) })

/** Longest that one input may take. Far above what it takes, far below what a person takes for a hang. */
const MOST_MILLISECONDS = 5000

function answers(action: () => unknown): void {
  const start = performance.now()
  try {
    action()
  } catch (error) {
    if (!(error instanceof UserError)) throw error
  }
  expect(performance.now() - start).toBeLessThan(MOST_MILLISECONDS)
}

async function answersLater(action: () => Promise<unknown>): Promise<void> {
  const start = performance.now()
  try {
    await action()
  } catch (error) {
    if (!(error instanceof UserError)) throw error
  }
  expect(performance.now() - start).toBeLessThan(MOST_MILLISECONDS)
}

const repository = new URL('../../../../', import.meta.url).pathname
const scenarios = readdirSync(join(repository, 'scenarios'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => readFileSync(join(repository, 'scenarios', name), 'utf8'))

/** Words that mean something to the grammar. */
const WORDS =
  'name about refs matrix exclude machine cpu cpus host delivery options xen flat-fred flat-idt guest kernel code start setup registers msr map unmap memory blocking inject event at label step occurrence nmi interrupt vector db mc schedule seed limits steps expect outcome done frame stackLevel never write trace type log keeps violates good-stack snapshot flags elf entry when unless $ { } [ ] : , - | > & * ! ? # " \' \n $\u007ba} 0x10 -1 18446744073709551616 true null ~ << &a *a !!binary'.split(
    ' ',
  )

/** A scenario of ours with a few things done to it. */
const mutated = fc
  .tuple(
    fc.constantFrom(...scenarios),
    fc.array(
      fc.record({
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        remove: fc.nat(40),
        insert: fc.oneof(
          fc.constantFrom(...WORDS),
          fc.string({ maxLength: 8 }),
          fc.string({ unit: 'binary', maxLength: 4 }),
        ),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  )
  .map(([text, edits]) =>
    edits.reduce((now, { at, remove, insert }) => {
      const start = Math.floor(at * now.length)
      return now.slice(0, start) + insert + now.slice(start + remove)
    }, text),
  )

const noise = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.array(fc.constantFrom(...WORDS, ' ', '  '), { maxLength: 80 }).map((words) => words.join('')),
  fc.array(fc.constantFrom(...WORDS), { maxLength: 80 }).map((words) => words.join(' ')),
)

describe('scenarios', () => {
  test('any text is read, or refused with places that lie in it', () => {
    fc.assert(
      fc.property(fc.oneof(mutated, noise), (text) => {
        answers(() => {
          try {
            parseScenario('x.yaml', text)
          } catch (error) {
            const lines = text.split(/\r\n|[\r\n\u2028\u2029]/).length + text.split('\n').length
            for (const { place } of (error as { errors?: UserError[] }).errors ?? []) {
              expect(place?.line).toBeGreaterThan(0)
              expect(place?.line).toBeLessThanOrEqual(lines)
            }
            throw error
          }
        })
      }),
      options(600),
    )
  })

  test('what is read runs to an end, or is refused', async () => {
    await fc.assert(
      fc.asyncProperty(mutated, async (text) => {
        await answersLater(async () => {
          const scenario = parseScenario('x.yaml', text)
          const cells = scenario.cells.slice(0, 2)
          for (const cell of await openScenario({ ...scenario, cells, steps: Math.min(scenario.steps, 2000) }))
            judge(cell, runCell(cell))
        })
      }),
      options(200),
    )
  })
})

const MNEMONICS =
  'mov add push pop jmp call int iretq eretu erets syscall lgdt wrmsr db dq times align equ bits rep lock nop $ $$ rax eax al cr4 [rax+8*rcx] qword ptr [rip+x] x: x .y 1b 1f 0x10 -1 "ab" \'c\' , ; # ( ) * / << ~ 18446744073709551615'.split(
    ' ',
  )

describe('assembly', () => {
  test('any text is assembled, or refused', () => {
    const line = fc.array(
      fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom(...MNEMONICS) },
        { weight: 1, arbitrary: fc.string({ maxLength: 6 }) },
      ),
      { maxLength: 8 },
    )
    const text = fc.array(line, { maxLength: 12 }).map((lines) => lines.map((words) => words.join(' ')).join('\n'))
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: 'binary' })), (source) =>
        answers(() => assemble(source, { origin: 0x1000n })),
      ),
      options(2000),
    )
  })
})

describe('ELF images', () => {
  const good = [
    writeElf({ code: 'begin: mov rax, [data]\nnop\n', data: [1n, 2n], start: 'begin' }),
    writeElf({ code: 'begin: nop\n', data: [0x1000n], relocate: [0], movable: true }),
  ]

  /** Bytes of headers matter most: all of the tables lie in the first and in the last part of the file. */
  const spoilt = fc
    .tuple(
      fc.constantFrom(...good),
      fc.array(
        fc.tuple(
          fc.oneof(fc.nat(300), fc.integer({ min: 0x2000, max: 0x2400 })),
          fc.constantFrom(0, 1, 2, 7, 8, 0x7f, 0x80, 0xff),
          fc.constantFrom(1, 2, 4, 8),
        ),
        { maxLength: 5 },
      ),
      fc.option(fc.nat(0x2400)),
    )
    .map(([image, patches, end]) => {
      const bytes = image.slice(0, end ?? undefined)
      for (const [at, value, count] of patches)
        for (let i = 0; i < count; i++) if (at + i < bytes.length) bytes[at + i] = value
      return bytes
    })

  test('any bytes are read, or refused', () => {
    fc.assert(
      fc.property(fc.oneof(spoilt, fc.uint8Array({ maxLength: 200 })), (bytes) => answers(() => readElf(bytes))),
      options(5000),
    )
  })

  test('what is read is loaded, or refused', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'trapframe-elf-'))
    try {
      await fc.assert(
        fc.asyncProperty(spoilt, fc.constantFrom('xen', 'flat-fred'), async (bytes, host) => {
          writeFileSync(join(folder, 'x.elf'), bytes)
          await answersLater(async () => {
            const scenario = parseScenario(
              join(folder, 'x.yaml'),
              `name: x\nmachine: { host: ${host} }\nguest: { elf: x.elf }\n`,
            )
            for (const cell of await openScenario(scenario)) judge(cell, runCell(cell))
          })
        }),
        options(150),
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('decode', () => {
  const decoders = createMachine({ cpu: 'skylake', plugins: [panicDecoders()] })
    .contributions(PANIC_DECODERS)
    .map(({ value }) => value)
  const parts =
    'invalid or fatal FRED event;| event type 4 vector 2 |error 0x0 aux 0x0 at 0010:ffffcbed0fa27f26|PANIC: |BUG: |double fault, error_code: 0x0|FATAL TRAP: |type 2, |vec 14, #PF[0003]|vector = 8 (|)|[error_code=|*** DOUBLE FAULT ***|RIP:    e008:[<ffff82d040200000>]|(XEN) |[    1.234567] |<4>|kernel:|Nov 22 10:00:00 host kernel: |00000000: |0000 |de ad be ef|0x1122334455667788|\n| |\t|: |, IN INTERRUPT CONTEXT|999999999999999999999|[|]|`'.split(
      '|',
    )

  test('any text is explained, or refused', () => {
    const text = fc
      .array(
        fc.oneof(
          { weight: 8, arbitrary: fc.constantFrom(...parts) },
          { weight: 1, arbitrary: fc.string({ maxLength: 8 }) },
        ),
        { maxLength: 40 },
      )
      .map((list) => list.join(''))
    const dump = fc
      .uint8Array({ minLength: 60, maxLength: 70 })
      .chain((bytes) =>
        fc
          .constantFrom('', ' ', '\n', ', 0x')
          .map((between) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(between)),
      )
    fc.assert(
      fc.property(fc.oneof(text, dump, fc.string({ unit: 'binary' })), (input) =>
        answers(() => recognise(input, decoders)),
      ),
      options(3000),
    )
  })

  test.each([
    ['a megabyte of one prefix', 'kernel:'.repeat(150_000)],
    ['a megabyte of blanks after a known word', `FATAL TRAP:${' '.repeat(1 << 20)}x`],
    ['many beginnings', 'FATAL TRAP: type 1, '.repeat(50_000)],
    ['many beginnings of Linux', 'PANIC: '.repeat(150_000)],
    ['a megabyte of digits', 'ab'.repeat(1 << 19)],
    ['a megabyte of groups', 'ab cd '.repeat(170_000)],
    ['a megabyte of colours', '\u001b['.repeat(1 << 19)],
    ['a megabyte of labels', '<a'.repeat(1 << 19)],
    ['many lines', '(XEN) \n'.repeat(150_000)],
    ['many timestamps', '[ 1.0]'.repeat(170_000)],
    ['many places', 'RIP: 0000:[<0000000000000000>] FATAL TRAP: vec 1, x[0] '.repeat(4000)],
  ])('%s ends soon', (_what, text) => answers(() => recognise(text, decoders)))
})

describe('vectors', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trapframe-vectors-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const zeros = Object.fromEntries(
    ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', ...Array.from({ length: 8 }, (_, i) => `r${i + 8}`)].map(
      (name) => [name, '0x0'],
    ),
  )
  const segment = { selector: '0x8', base: '0x0', limit: '0xffffffff', access: '0xa09b' }
  const good = JSON.stringify({
    id: 'x',
    group: 'x',
    cpu: { vendor: 'intel', linearAddressBits: 48, features: [] },
    program: 'x',
    initial: {
      gpr: zeros,
      rip: '0x1000',
      rflags: '0x2',
      cpl: 0,
      ...Object.fromEntries(['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'].map((name) => [name, segment])),
      gdtr: { base: '0x0', limit: '0x0' },
      idtr: { base: '0x0', limit: '0x0' },
      ...Object.fromEntries(
        ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'xcr0', 'dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7'].map((name) => [
          name,
          '0x0',
        ]),
      ),
      msr: {},
      blocking: { nmi: false, sti: false, movss: false },
      pages: [{ address: '0x1000', count: 1, flags: 'x' }],
      memory: [{ address: '0x1000', bytes: 'f4' }],
    },
    inject: null,
    outcome: 'halted',
    final: { gpr: {} },
  })
  const values = [
    '4',
    '1.5',
    'null',
    '0',
    '-1',
    '1e999',
    '"0x0"',
    '"0xffffffffffffffff"',
    '"0x"',
    '[]',
    '{}',
    'true',
    '65536',
    '"zz"',
    '"0x1fff"',
    '"wuxs"',
    '{"__proto__":1}',
  ]
  const spoilt = fc
    .tuple(
      fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(...values)), {
        minLength: 1,
        maxLength: 3,
      }),
    )
    .map(([edits]) =>
      edits.reduce((text, [at, value]) => {
        const spots = [...text.matchAll(/:("[^"]*"|[^,{}[\]"]+|\[\]|\{\})/g)]
        const spot = spots[Math.floor(at * (spots.length - 1))]
        return spot === undefined
          ? text
          : `${text.slice(0, spot.index + 1)}${value}${text.slice(spot.index + spot[0].length)}`
      }, good),
    )

  test('any line is played, or refused with its place', () => {
    const file = join(folder, 'x.jsonl')
    writeFileSync(file, good)
    expect(runVectors(readVectors(file, [stateFormat]), officialPlugins()).total).toBe(1)
    fc.assert(
      fc.property(
        fc.oneof(
          { weight: 5, arbitrary: spoilt },
          { weight: 1, arbitrary: fc.json() },
          { weight: 1, arbitrary: fc.string() },
        ),
        (line) => {
          writeFileSync(file, line)
          answers(() => runVectors(readVectors(file, [stateFormat]), officialPlugins()))
        },
      ),
      options(600),
    )
  })
})
