import { describe, expect, test } from 'vitest'
import { runOnly, runText } from '../../test/scenario-text.js'

const FLAT = 'name: x\nmachine: { host: flat-fred, delivery: fred }\n'
const FLAT_IDT = 'name: x\nmachine: { host: flat-idt, delivery: idt }\n'

describe('a run ends', () => {
  test('done, at the end of the program', async () => {
    const { run } = await runOnly(`${FLAT}guest: |\n  mov eax, 5\n  int 0x80\n  back:\n`)
    expect([run.outcome, run.steps, run.nameOf(run.machine.cpu.rip)]).toEqual(['done', 3, 'back'])
  })

  test('not at an address that only looks like the end: the privilege counts', async () => {
    const { run } = await runOnly(`${FLAT}kernel: |\n  jmp guest_end\nguest: |\n  nop\n  guest_end:\nstart: kernel\n`)
    expect(run.outcome).not.toBe('done')
  })

  test('halted, by HLT with nothing that would wake the CPU', async () => {
    const { run } = await runOnly(`${FLAT}kernel: |\n  cli\n  hlt\n  nop\n`)
    expect([run.outcome, run.steps]).toEqual(['halted', 2])
  })

  test('in shutdown, when a fault meets the delivery of #DF', async () => {
    const { run } = await runOnly(`${FLAT_IDT}kernel: |\n  lidt [host_data]\n  ud2\n`)
    expect([run.outcome, run.steps]).toEqual(['shutdown', 2])
  })

  test('running, when the limit comes first', async () => {
    const { run } = await runOnly(`${FLAT}guest: |\n  here: jmp here\nlimits: { steps: 77 }\n`)
    expect([run.outcome, run.steps]).toEqual(['running', 77])
  })

  test('at once, without a program', async () => {
    const { run } = await runOnly(FLAT)
    expect([run.outcome, run.steps]).toEqual(['done', 0])
  })
})

describe('an injected event', () => {
  const steps = async (at: string, more = ''): Promise<string[]> => {
    const text = `${FLAT}guest: |\n  mov ecx, 3\n  again:\n  dec ecx\n  jnz again\n  last:\ninject:\n  - { event: nmi, at: ${at} }\n${more}`
    const { run } = await runOnly(text, { history: true })
    return run.history.map(({ text, deliveries }) => text || `${deliveries[0]?.event}`)
  }

  test('is taken before the instruction at its label', async () => {
    expect(await steps('{ label: again }')).toEqual([
      'mov ecx, 3',
      'NMI',
      'eretu',
      ...Array(3).fill(['dec ecx', 'jnz again']).flat(),
    ])
  })

  test('at the occurrence that is asked for; coming back from a handler is an arrival too', async () => {
    expect((await steps('{ label: again, occurrence: 3 }')).indexOf('NMI')).toBe(5)
    const twice = '  - { event: nmi, at: { label: again, occurrence: 2 } }\n'
    expect((await steps('{ label: again }', twice)).slice(0, 6)).toEqual([
      'mov ecx, 3',
      'NMI',
      'eretu',
      'NMI',
      'eretu',
      'dec ecx',
    ])
  })

  test('at an address', async () => {
    expect((await steps('{ address: again + 2 }')).slice(0, 3)).toEqual(['mov ecx, 3', 'dec ecx', 'NMI'])
  })

  test('before a step of the run', async () => {
    expect((await steps('{ step: 1 }')).slice(0, 2)).toEqual(['NMI', 'eretu'])
    expect((await steps('{ step: 4 }')).indexOf('NMI')).toBe(3)
  })

  test('at the very end of the program still comes', async () => {
    expect((await steps('{ label: last }')).slice(-2)).toEqual(['NMI', 'eretu'])
  })

  test('waits while it is blocked: an interrupt for RFLAGS.IF', async () => {
    const { run } = await runOnly(
      `${FLAT}kernel: |\n  cli\n  nop\n  sti\n  nop\n  nop\ninject:\n  - { event: interrupt, vector: 0x20, at: { step: 2 } }\n`,
      { history: true },
    )
    expect(run.history.map(({ text, kind }) => text || kind)).toEqual([
      'cli',
      'nop',
      'sti',
      'nop',
      'event',
      'erets',
      'nop',
    ])
    expect(run.history[1]?.injected).toEqual(['interrupt 0x20'])
  })

  test('wakes a CPU that waits in HLT; the steps until then pass idly', async () => {
    const { run } = await runOnly(
      `${FLAT}kernel: |\n  cli\n  hlt\n  nop\ninject:\n  - { event: nmi, at: { step: 5 } }\n`,
      {
        history: true,
      },
    )
    expect(run.history.map(({ text, kind }) => text || kind)).toEqual([
      'cli',
      'hlt',
      'idle',
      'idle',
      'event',
      'erets',
      'nop',
    ])
    expect(run.outcome).toBe('done')
  })

  test('whose moment does not come is a failure, at its place in the file', async () => {
    const { result } = await runOnly(
      `${FLAT}guest: |\n  jmp over\n  never: nop\n  over:\ninject:\n  - { event: nmi, at: { label: never } }\n`,
    )
    expect(result.passed).toBe(false)
    expect(result.expectations).toEqual([
      {
        verb: 'inject',
        place: { file: 'test.yaml', line: 8, column: 5, length: 36 },
        holds: false,
        expected: 'NMI at never',
        actual: 'it did not come to that: done after 1 step',
      },
    ])
  })

  test('#MC and #DB, with its conditions in DR6', async () => {
    const { run } = await runOnly(
      `${FLAT}guest: |\n  nop\n  nop\ninject:\n  - { event: mc, at: { step: 1 } }\n  - { event: db, conditions: 0x4000, at: { step: 2 } }\n`,
    )
    expect(run.deliveries.map(({ event, eventData }) => [event, eventData])).toEqual([
      ['#MC', 0n],
      ['#DB', 0x4000n],
    ])
  })
})

describe('several CPUs', () => {
  const text = (schedule: string): string =>
    `name: x\nmachine: { host: flat-fred, delivery: fred, cpus: 2 }\nguest: |\n  mov eax, 1\n  nop\nkernel: |\n  nop\n  nop\n  nop\nstart: [guest, kernel]\nschedule: ${schedule}\n`
  const order = async (schedule: string): Promise<string> =>
    (await runOnly(text(schedule), { history: true })).run.history
      .map(({ cpu, kind }) => (kind === 'idle' ? '-' : cpu))
      .join('')

  test('take turns', async () => {
    expect(await order('[]')).toBe('01011')
  })

  test('step as the schedule says, then take turns; a CPU that is done passes its step', async () => {
    expect(await order('[1, 1, 0, 0, 0]')).toBe('1100-1')
    expect(await order('[1, 1, 1, 0]')).toBe('11100')
  })

  test('step by a seed: the same one, the same run', async () => {
    const orders = await Promise.all([3, 3, 4].map((seed) => order(`{ seed: ${seed} }`)))
    expect(orders[0]).toBe(orders[1])
    expect(orders[0]).not.toBe(orders[2])
    expect([...orders[0]!].sort().join('')).toBe('00111')
    expect(await order('round-robin')).toBe('01011')
  })

  test('have their own starting points and outcomes', async () => {
    const { run } = await runOnly(`${text('[]').replace('  nop\n  nop\n  nop', '  cli\n  hlt')}`)
    expect(run.outcomes).toEqual(['done', 'halted'])
    expect(run.outcome).toBe('halted')
  })

  test('may start at a label', async () => {
    const { run } = await runOnly(
      `${FLAT}guest: |\n  mov eax, 1\n  second:\n  mov ebx, 2\nstart: { program: guest, label: second }\n`,
    )
    expect([run.machine.cpu.gpr(0), run.machine.cpu.gpr(3), run.steps]).toEqual([0n, 2n, 1])
  })
})

describe('what is recorded', () => {
  const text = `name: x
matrix: { delivery: [idt, fred] }
machine: { delivery: "$\{delivery}", options: { smap: false, shadowStacks: false } }
guest: |
    mov  rsp, 0x7fff0000
    syscall
inject: [{ event: nmi, at: { label: syscall_entry } }]
`
  const nmis = async () => (await runText(text)).map(({ run }) => run.deliveries.find(({ event }) => event === 'NMI'))

  test('the IST switch and the 40-byte frame of an NMI under the IDT (X7)', async () => {
    const [idt] = await nmis()
    expect(idt).toMatchObject({
      type: 2,
      vector: 2,
      nested: false,
      errorCode: null,
      mechanism: 'idt',
      stack: 'IST2',
      from: { cpl: 0, rsp: 0x7fff0000n, stackLevel: null },
      frame: { bytes: 40, region: 'NMI', fields: { rsp: 0x7fff0000n, cs: 0xe008, ss: 0xe010 } },
    })
    expect(idt?.frame.address).toBe(idt?.to.rsp)
  })

  test('the same stack and the 64-byte frame under FRED (X7, A11, A13)', async () => {
    const [, fred] = await nmis()
    expect(fred).toMatchObject({
      mechanism: 'fred',
      stack: null,
      from: { cpl: 0, stackLevel: 0 },
      to: { cpl: 0, stackLevel: 0 },
      frame: { bytes: 64, region: 'primary', fields: { type: 2, vector: 2, nmi: true, nested: false } },
    })
  })

  test('a delivery reads tables under the IDT and none under FRED (A15)', async () => {
    const [idt, fred] = await nmis()
    expect(idt?.reads.count).toBeGreaterThan(2)
    expect(fred?.reads).toEqual({ count: 0, bytes: 0 })
  })

  test('every run of a file is the same run', async () => {
    const trace = async () =>
      (await runText(`${text}expect: [{ trace: [{ type: return }] }]\n`)).map(({ run }) => run.trace)
    expect(await trace()).toEqual(await trace())
  })

  test('with the check every step is repeatable, and the run is the same', async () => {
    const plain = await runText(text, { history: true })
    const checked = await runText(text, { history: true, check: true })
    expect(checked.map(({ run }) => run.history)).toEqual(plain.map(({ run }) => run.history))
  })
})
