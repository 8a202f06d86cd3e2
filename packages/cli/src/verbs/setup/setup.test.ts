import { describe, expect, test } from 'vitest'
import { runOnly, runText } from '../../../test/scenario-text.js'

const FRED = 'name: x\nmachine: { host: flat-fred, cpus: 2 }\nkernel: "nop"\n'

const after = async (setup: string, expectation: string): Promise<void> => {
  const { result } = await runOnly(`${FRED}setup:\n  - { ${setup} }\nexpect:\n  - { ${expectation} }\n`)
  expect(result.expectations.filter(({ holds }) => !holds)).toEqual([])
}

describe('setup', () => {
  test.each([
    [
      'registers: { rax: -1, r15: host_data+8, rsp: 0x13_0100, rflags: 0x4002 }',
      'registers: { rax: -1, r15: 0x13_0008, rsp: 0x13_0100, rflags: 0x4002 }',
    ],
    [
      'registers: { gsBase: 1, kernelGsBase: 2, fsBase: 3, ssp: 8, cr2: 5 }',
      'registers: { gsBase: 1, kernelGsBase: 2, fsBase: 3, ssp: 8, cr2: 5 }',
    ],
    [
      'registers: { cr0: 0x8001_0011, cr8: 3, dr0: 1, dr3: 4, dr6: 6, dr7: 0x400 }',
      'registers: { cr0: 0x8001_0011, cr8: 3, dr0: 1, dr3: 4, dr6: 6, dr7: 0x400 }',
    ],
    [
      'msr: { IA32_LSTAR: handler, IA32_FRED_RSP1: 0x1_0000 }',
      'msr: { IA32_LSTAR: handler, IA32_FRED_RSP1: 0x1_0000 }',
    ],
    [
      'memory: [{ address: host_data, u64: [1, -1] }, { address: host_data+16, bytes: "0a 0b" }]',
      'memory: [{ address: host_data+7, bytes: "00 ff ff ff ff ff ff ff ff 0a 0b" }]',
    ],
    [
      'map: [{ address: 0x7000_0000, attributes: uw, pages: 2 }], memory: [{ address: 0x7000_1000, u8: 7 }]',
      'memory: [{ address: 0x7000_0fff, u16: 0x700 }]',
    ],
    ['blocking: [nmi, sti]', 'blocking: nmi'], // STI's lasts for one instruction
    ['blocking: []', 'blocking: []'],
    ['cpu: 1, registers: { rbx: 9 }', 'cpu: 1, registers: { rbx: 9 }'],
    ['cpu: 1, registers: { rbx: 9 }', 'cpu: 0, registers: { rbx: 0 }'],
  ])('%s', (setup, expectation) =>
    after(setup.replace('handler', 'entry_ring0'), expectation.replace('handler', 'entry_ring0')),
  )

  test('of attributes leaves what a page holds', async () => {
    const text = `${FRED}setup:\n  - memory: [{ address: host_data, u32: 0x90 }]\n  - map: [{ address: host_data, attributes: x }]\n`
    const { cpu } = (await runOnly(text)).run.machine
    expect([cpu.space.read64(0x13_0000n), cpu.space.flagsAt(0x13_0000n)]).toEqual([0x90n, 16 | 4])
  })

  test('takes pages away', async () => {
    const { run } = await runOnly(`${FRED}setup: [{ unmap: [{ address: host_data }] }]\n`)
    expect(run.machine.cpu.space.flagsAt(0x13_0000n)).toBe(0)
  })

  test('holds for the cells that its conditions name, in the order of the file', async () => {
    const text = `name: x
matrix: { n: [1, 2, 3] }
machine: { host: flat-fred }
kernel: "nop"
setup:
  - { registers: { rax: "\${n}", rbx: 5 } }
  - { when: { n: [2, 3] }, registers: { rbx: 6 } }
  - { unless: { n: 3 }, registers: { rcx: 7 } }
`
    const values = (await runText(text)).map(({ run }) => [0, 3, 1].map((n) => run.machine.cpu.gpr(n)))
    expect(values).toEqual([
      [1n, 5n, 7n],
      [2n, 6n, 7n],
      [3n, 6n, 0n],
    ])
  })

  test.each([
    ['registers: { raxx: 1 }', 'unknown register "raxx"', 'did you mean "rax"?'],
    ['registers: { cs: 8 }', '"cs" cannot be set', 'a program loads it, with its checks'],
    ['registers: { cr4: 0 }', 'the CPU refuses 0x0 for cr4: #GP(0)', undefined], // long mode needs PAE
    ['registers: { cr8: 16 }', 'the CPU refuses 0x10 for cr8: #GP(0)', undefined],
    ['msr: { IA32_FRED_RSP0: 1 }', 'the CPU refuses 0x1 for IA32_FRED_RSP0: #GP(0)', undefined],
    ['memory: [{ address: 0x7000_0000, u8: 1 }]', 'nothing is mapped at 0x70000000', '"map" before it makes pages'],
    ['map: [{ address: 0x7000_0001, attributes: w }]', '0x70000001 is no beginning of a page', expect.any(String)],
    [
      'map: [{ address: 0x7000_0000, attributes: rw }]',
      '"attributes" is wrong: page attributes are letters: w, u, x, s',
      undefined,
    ],
    ['blocking: smi', '"blocking" cannot be "smi"', expect.any(String)],
    ['register: { rax: 1 }', 'unknown setup "register"', 'did you mean "registers"?'],
    ['when: { n: 1 }', 'this setup sets nothing', expect.any(String)],
  ])('refuses %s', async (setup, message, hint) => {
    const failure = runOnly(`${FRED}setup:\n  - { ${setup} }\n`)
    await expect(failure).rejects.toMatchObject({
      errors: expect.arrayContaining([expect.objectContaining({ message, hint })]),
    })
  })
})

describe('what setup and injections do to events', () => {
  const PROGRAM = 'name: x\nmachine: { host: flat-fred }\nkernel: |\n  nop\n  nop\nsetup: [{ blocking: nmi }]\n'
  const INJECT = 'inject: [{ event: nmi, at: { step: 1 } }, { event: interrupt, vector: 0x20, at: { step: 2 } }]\n'
  test.each([
    ['pending: NMI', true, 'NMI'],
    ['pending: [NMI, interrupt 0x20]', false, 'NMI'],
    ['pending: []', false, 'NMI'],
    ['blocking: nmi', true, 'nmi'],
    ['blocking: []', false, 'nmi'],
    ['delivered: 1', true, '1: interrupt 0x20'],
    ['delivered: 2', false, '1: interrupt 0x20'],
  ])('%s', async (expectation, holds, actual) => {
    const { result } = await runOnly(`${PROGRAM}${INJECT}expect: [{ ${expectation} }]\n`)
    expect(result.expectations.at(-1)).toMatchObject({ holds, actual })
  })

  test('an injection can be for some cells only', async () => {
    const text = 'name: x\nmatrix: { n: [1, 2] }\nmachine: { host: flat-fred }\nkernel: "nop"\n'
    const cells = await runText(`${text}inject: [{ when: { n: 2 }, event: nmi, at: { step: 1 } }]\n`)
    expect(cells.map(({ run }) => run.deliveries.length)).toEqual([0, 1])
  })
})
