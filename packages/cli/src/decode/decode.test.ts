import { describe, expect, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'

const VIRTUALBOX = 'BUG: invalid or fatal FRED event; event type 4 vector 2 error 0x0 aux 0x0 at 0010:ffffcbed0fa27f26'
const OOPS = `[  186.393810] vboxdrv: opened
[  186.393813] ${VIRTUALBOX}
[  186.393817] Oops: Invalid or fatal FRED event: 0000 [#1] SMP NOPTI
[  186.393833] RSP: 0018:ffffcbed0be23bb8 EFLAGS: 00000046
`
const FRED_FRAME = [0, 0x401000, 0x2b, 0x10202, 0x600000, 0x0203_000e_0000_0023n, 0xdead_b000, 0]
  .map((quad) => BigInt(quad).toString(16).padStart(16, '0'))
  .join(' ')

async function decoded(...words: string[]) {
  const { code, out } = await trapframe('decode', '--json', ...words)
  expect(code).toBe(0)
  return JSON.parse(out).findings
}

describe('a kernel’s last words', () => {
  test('F1: the line of VirtualBox issue 784, in its log: every field, and why', async () => {
    const folder = folderWith({ 'dmesg.txt': OOPS })
    const { code, out } = await trapframe('decode', `${folder}/dmesg.txt`)
    expect(code).toBe(0)
    expect(out).toContain(`Linux  ${VIRTUALBOX}\n`)
    expect(out).toMatch(/ type +4 +software interrupt \(INT n\)\n/)
    expect(out).toMatch(/ vector +2 +INT 0x2, the NMI’s number\n/)
    expect(out).toMatch(/ CS +0x10 +ring 0\n/)
    expect(out).toMatch(/ RIP +0xffffcbed0fa27f26 +the next instruction; INT 0x2 \(cd 02\) .*0xffffcbed0fa27f24\n/)
    expect(out).toMatch(/ stack level +0 /)
    expect(out).toContain(
      'Likely cause\n    INT 2: a software interrupt with the NMI’s number. Under the IDT it went through',
    )
    expect(out).toContain('Known: VirtualBox issue 784')
  })

  test.each([
    ['without its severity', VIRTUALBOX.replace('BUG: ', '')],
    ['from syslog', `Jul 25 10:00:00 odyssey kernel: [  186.393813] ${VIRTUALBOX}`],
    ['from the journal', `2026-07-25T10:00:00+0200 odyssey kernel: ${VIRTUALBOX}`],
    ['with a log level', `<0>[  186.393813][ T1018] ${VIRTUALBOX}`],
    ['in colours', `\u001b[32m[  186.393813] \u001b[0m\u001b[31m${VIRTUALBOX}\u001b[0m`],
    ['broken by a terminal', VIRTUALBOX.replace('aux ', 'aux\n')],
    ['in words', VIRTUALBOX],
  ])('%s', async (what, line) => {
    const [finding] = await decoded(...(what === 'in words' ? line.split(' ') : [line]))
    expect(finding).toMatchObject({ kind: 'panic', reporter: 'Linux', causes: [{ id: 'int-2' }] })
    expect(finding.fields).toContainEqual(expect.objectContaining({ name: 'vector', value: '2' }))
  })

  test('F2: INT 0xec of a monitor; PANIC tells the stack level', async () => {
    const line =
      'PANIC: invalid or fatal FRED event; event type 4 vector 236 error 0x0 aux 0x0 at 0010:ffffffffc0a01234'
    const [finding] = await decoded(line)
    expect(finding.causes).toMatchObject([{ id: 'int-ec' }])
    expect(finding.causes[0].known[0]).toContain('vmware-host-modules issue 337')
    expect(finding.fields.at(-1)).toMatchObject({ name: 'stack level', value: '1–3' })
  })

  test('F9, F12, F14: vector 29, interrupt 0x80, an error code that was overwritten', async () => {
    const line = (type: number, vector: number, error: string) =>
      `invalid or fatal FRED event; event type ${type} vector ${vector} error ${error} aux 0x0 at 0010:ffffffff81000000`
    const causes = async (text: string) => (await decoded(text))[0].causes.map(({ id }: { id: string }) => id)
    expect(await causes(line(3, 29, '0x0'))).toEqual(['exception-29'])
    expect(await causes(line(0, 0x80, '0x0'))).toEqual(['interrupt-80'])
    expect(await causes(line(4, 2, '0xffffffffffffffff'))).toEqual(['int-2', 'lost-error-code'])
  })

  test('Xen under the IDT: the vector, and where it was by the registers above', async () => {
    const log = `(XEN) RIP:    e008:[<ffff82d04033b0d5>] do_IRQ+0x150/0x6f3
(XEN) Panic on CPU 0:
(XEN) FATAL TRAP: vec 14, #PF[0009] IN INTERRUPT CONTEXT
(XEN) ****************************************`
    const [finding] = await decoded(log)
    expect(finding).toMatchObject({ reporter: 'Xen', line: 'FATAL TRAP: vec 14, #PF[0009] IN INTERRUPT CONTEXT' })
    expect(finding.fields).toEqual([
      { name: 'vector', value: '14', meaning: '#PF, page fault' },
      {
        name: 'error code',
        value: '0x9',
        meaning: 'not allowed by the page, a read, by supervisor mode, reserved bit set in a paging entry',
      },
      { name: 'CS', value: '0xe008', meaning: 'ring 0' },
      { name: 'RIP', value: '0xffff82d04033b0d5', meaning: '' },
      { name: 'IF', value: '0', meaning: 'interrupts were off: Xen calls it interrupt context' },
    ])
  })

  test('Xen under FRED: type and vector', async () => {
    const [finding] = await decoded('FATAL TRAP: type 4, SW_INT, vec 2, NMI[0000]')
    expect(finding.fields.slice(0, 2)).toMatchObject([
      { name: 'type', value: '4' },
      { name: 'vector', value: '2' },
    ])
    expect(finding.causes[0].id).toBe('int-2')
    const [other] = await decoded('Fatal TRAP: type 7, OTHER, vec 1, SYSCALL IN INTERRUPT CONTEXT')
    expect(other.causes[0].id).toBe('system-call-ring-0')
  })

  test('an old Xen, over two lines', async () => {
    const [finding] = await decoded(
      '(XEN) FATAL TRAP: vector = 2 (nmi)\n(XEN) [error_code=0000] , IN INTERRUPT CONTEXT',
    )
    expect(finding.causes[0].id).toBe('xen-nmi')
    expect(finding.fields).toContainEqual(expect.objectContaining({ name: 'error code', value: '0x0' }))
  })

  test('double faults of both', async () => {
    const log = 'traps: PANIC: double fault, error_code: 0x0\n(XEN) *** DOUBLE FAULT ***'
    expect((await decoded(log)).map((finding: { causes: { id: string }[] }) => finding.causes[0]!.id)).toEqual([
      'double-fault',
      'double-fault',
    ])
  })

  test('what a log says twice is told once, what it says of two events in order', async () => {
    const second = VIRTUALBOX.replace('vector 2', 'vector 236')
    const lines = (await decoded(`${OOPS}${OOPS}${second}`)).map(({ line }: { line: string }) => line)
    expect(lines).toEqual([VIRTUALBOX, second])
  })
})

describe('a frame', () => {
  test('a #PF in ring 3, from eight quadwords', async () => {
    const [finding] = await decoded(FRED_FRAME)
    expect(finding).toMatchObject({ kind: 'frame', oddities: [], causes: [] })
    const values = Object.fromEntries(finding.fields.map(({ name, value }: Record<string, string>) => [name, value]))
    expect(values).toMatchObject({
      RIP: '0x0000000000401000',
      CS: '0x2b',
      RFLAGS: '0x10202',
      type: '3',
      vector: '14',
      'event data': '0xdeadb000',
      '64-bit mode': '1',
    })
  })

  test('its table says what each field means', async () => {
    const { out } = await trapframe('decode', FRED_FRAME)
    expect(out).toContain('FRED frame  64 bytes, read as little-endian numbers\n')
    expect(out).toMatch(/ RFLAGS +0x10202 +IF RF\n/)
    expect(out).toMatch(/ event data +0xdeadb000 +the address that was accessed, as CR2\n/)
    expect(out).toMatch(/ error code +0x0 +page not present, a read, by supervisor mode\n/)
  })

  test('F3, F4: a hand-made NMI frame without the NMI bit is pointed out', async () => {
    const frame = '0 ffffffff81000000 10 2 ffffc90000000000 0202000200000018 0 0'
    const { out } = await trapframe('decode', ...frame.split(' ').map((quad) => `0x${quad}`))
    expect(out).toContain(
      'No CPU leaves a frame like this\n    bit 18 of SS is 0 for an NMI: the return leaves NMIs blocked\n',
    )
  })
})

test('--json has kind, fields, oddities and causes', async () => {
  const [finding] = await decoded(VIRTUALBOX)
  expect(Object.keys(finding)).toEqual(['kind', 'reporter', 'line', 'fields', 'oddities', 'causes'])
  expect(finding.fields[0]).toEqual({ name: 'type', value: '4', meaning: 'software interrupt (INT n)' })
})

test('a plugin adds a decoder through the slot', async () => {
  const folder = folderWith({
    'other.mjs': `export default () => ({
      name: 'other-kernel',
      setup(host) {
        host.add({ name: 'cli/panic-decoders', combine: 'all' }, 'other', {
          summary: 'another kernel',
          decode: (log) => [...log.matchAll(/trap (\\d+)!/g)].map(([line, vector]) => ({
            reporter: 'Other', line,
            facts: { type: null, vector: Number(vector), errorCode: null, eventData: null, cs: null, rip: null },
          })),
        })
      },
    })`,
  })
  const [finding] = await decoded('--plugin', `${folder}/other.mjs`, 'oh no: trap 8!')
  expect(finding).toMatchObject({ reporter: 'Other', line: 'trap 8!', causes: [{ id: 'double-fault' }] })
})

describe('what it does not know is an error that says what it wants', () => {
  test.each([
    [
      ['hello world'],
      'this is neither a hex dump nor one of the kernel messages that are known here: "hello" is no hex',
    ],
    [['00 11 22'], 'a FRED frame has 64 bytes, and 3 are here'],
    [['--jsn', '00'], 'unknown option "--jsn" of "decode"'],
  ])('%j', async (words, message) => {
    const { code, out, err } = await trapframe('decode', ...words)
    expect([code, out]).toEqual([2, ''])
    expect(err.split('\n')[0]).toBe(`error: ${message}`)
    expect(err.split('\n')[1]).toMatch(/^ {2}\S/)
  })
})
