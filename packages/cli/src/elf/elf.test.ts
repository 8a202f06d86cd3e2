import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'
import { type TinyElf, writeElf } from '../../test/elf-writer.js'
import { parseScenario } from '../scenario/parse.js'
import { openScenario } from '../session/open.js'
import { runCell } from '../session/run-cell.js'
import { readElf } from './read.js'

const GUEST = 'begin:\n mov rax, [data]\n add qword [data + 8], rax\n int 0x80\n after:\n mov rbx, data\n done:\n nop\n'
const TINY: TinyElf = { code: GUEST, data: [7n, 35n], start: 'begin' }

const guest = (keys: string, more = '', host = 'flat-fred'): string =>
  `name: x\nmachine: { host: ${host} }\nguest: { elf: x.elf, ${keys} }\n${more}`

/** Runs the one cell of a scenario that lies beside these files. */
async function runBeside(scenario: string, files: Readonly<Record<string, Uint8Array>>) {
  const folder = folderWith({ ...files, 'x.yaml': scenario })
  const [cell] = await openScenario(parseScenario(join(folder, 'x.yaml'), scenario))
  return runCell(cell!, { history: true }).run
}

describe('a program that is an ELF image', () => {
  test.each(['flat-fred', 'flat-idt', 'xen'])('runs as a guest of %s: segments, entry, end, symbols', async (host) => {
    const run = await runBeside(guest('end: done', 'inject: [{ event: nmi, at: { label: after } }]\n', host), {
      'x.elf': writeElf(TINY),
    })
    expect([run.outcome, run.machine.cpu.cpl, run.machine.cpu.gpr(0)]).toEqual(['done', 3, 7n])
    expect(run.nameOf(run.machine.cpu.rip)).toBe('done')
    expect(run.machine.cpu.space.read64(run.labels.get('data')! + 8n)).toBe(42n)
    const nmi = run.deliveries.find(({ event }) => event === 'NMI')
    expect(run.nameOf(nmi!.from.rip)).toBe('after')
  })

  test('runs in ring 0 as the kernel, and assembly jumps to its symbols: real entry code', async () => {
    const entry = 'nop\nreal_entry:\n inc qword [data]\n eretu\n'
    const text = `name: x
machine: { host: flat-fred }
kernel: { elf: x.elf }
code: { entry_ring3: jmp real_entry }
guest: |
  int 0x80
start: guest
expect:
  - { outcome: done, memory: [{ address: data, u64: 2 }] }
  - { trace: [{ type: instruction, rip: real_entry, cpl: 0 }, { type: return, mnemonic: eretu }] }
`
    const folder = folderWith({ 'x.yaml': text, 'x.elf': writeElf({ code: entry, data: [1n], address: 0x80_0000n }) })
    const did = await trapframe('run', join(folder, 'x.yaml'))
    expect([did.code, did.err]).toEqual([0, ''])
  })

  test('has the permissions of its segments: code is not written, data not executed', async () => {
    for (const [code, error] of [
      ['mov [rel $$], rax', 7n],
      ['jmp data', 0x15n],
    ] as const) {
      const run = await runBeside(guest('end: done'), {
        'x.elf': writeElf({ ...TINY, code: `begin: ${code}\ndone:\n` }),
      })
      expect(run.deliveries[0]).toMatchObject({ event: '#PF', errorCode: Number(error) })
    }
  })

  test("a guest cannot read what the kernel's image has, and its pages count as the guest's", async () => {
    const text = guest('end: done', 'kernel: { elf: k.elf }\nstart: guest\n')
    const run = await runBeside(text, {
      'x.elf': writeElf({ code: 'mov rax, [0x9002000]\ndone:\n' }),
      'k.elf': writeElf({ code: 'nop', data: [1n], address: 0x900_0000n }),
    })
    expect(run.deliveries[0]).toMatchObject({ event: '#PF', errorCode: 5 })
    expect(run.regionOf(0x800_1000n, 0)?.name).toBe('guest')
    expect(run.regionOf(0x900_1000n, 0)?.name).toBe('host')
  })

  test('a position-independent one goes to a free place or to its base, and is relocated', async () => {
    const pie = {
      ...TINY,
      movable: true,
      code: 'begin: lea rcx, [rel begin]\nmov rax, [rel data]\ndone:\n',
      relocate: [0],
    }
    for (const [keys, base] of [
      ['end: done', undefined],
      ['end: done, base: 0x5555_0000_0000', 0x5555_0000_0000n],
    ] as const) {
      const elf = writeElf({ ...pie, data: [0x1000n, 5n] })
      const run = await runBeside(guest(keys), { 'x.elf': elf })
      const begin = run.labels.get('begin')!
      expect(run.outcome).toBe('done')
      expect([run.machine.cpu.gpr(1), run.machine.cpu.gpr(0)]).toEqual([begin, begin])
      if (base !== undefined) expect(begin).toBe(base + 0x1000n)
    }
  })

  test("may lie where the host keeps the guest's own code, as linkers put it at 400000h", async () => {
    const run = await runBeside(guest('end: done'), { 'x.elf': writeElf({ ...TINY, address: 0x40_0000n }) })
    expect(run.outcome).toBe('done')
  })

  test('a symbol whose name is taken goes by the name of its program', async () => {
    const elf = writeElf({ code: 'syscall_entry: nop\ndone:\n' })
    const run = await runBeside(guest('entry: syscall_entry, end: done', '', 'flat-idt'), { 'x.elf': elf })
    expect([run.outcome, run.steps]).toEqual(['done', 1])
    expect(run.labels.get('guest.syscall_entry')).toBe(0x800_1000n)
    expect(run.labels.get('syscall_entry')).not.toBe(0x800_1000n)
  })

  test('compilers and linkers make such images: as and ld, where they are installed', async ({ skip }) => {
    if (['as', 'ld'].some((tool) => spawnSync(tool, ['--version']).error !== undefined)) skip('there is no as or ld')
    const source =
      '.intel_syntax noprefix\n.globl _start\n_start: lea rax, counter[rip]\nadd qword ptr [rax], 3\nmov rbx, where[rip]\ndone: nop\n.data\ncounter: .quad 4\nwhere: .quad counter\n'
    const folder = folderWith({ 'x.s': source })
    const make = (tool: string, ...words: string[]) => execFileSync(tool, words, { cwd: folder, stdio: 'pipe' })
    make('as', '-o', 'x.o', 'x.s')
    make('ld', '-static', '-o', 'fixed.elf', 'x.o')
    make('ld', '-static', '-pie', '--no-dynamic-linker', '-z', 'nopack-relative-relocs', '-o', 'pie.elf', 'x.o')
    for (const name of ['fixed.elf', 'pie.elf']) {
      const run = await runBeside(guest('entry: _start, end: done'), { 'x.elf': readFileSync(join(folder, name)) })
      expect(run.outcome, name).toBe('done')
      expect(run.machine.cpu.space.read64(run.machine.cpu.gpr(3)), name).toBe(7n)
    }
    expect(() => readElf(readFileSync(join(folder, 'x.o')))).toThrow('it is an object file, not an executable')
  })
})

/** Changes bytes of a good image. */
function spoilt(...patches: readonly (readonly [at: number, ...bytes: number[]])[]): Uint8Array {
  const bytes = writeElf(TINY).slice()
  for (const [at, ...values] of patches) bytes.set(values, at)
  return bytes
}

// biome-ignore format: a table reads by its rows
const BAD: readonly (readonly [what: string, file: Uint8Array, message: string, hint?: string])[] = [
  ['nothing', new Uint8Array(), 'it is no ELF file'],
  ['text', new TextEncoder().encode('root:x:0:0:'), 'it is no ELF file', 'assembly is written in the scenario itself, after |'],
  ['a 32-bit image', spoilt([4, 1]), 'it is a 32-bit ELF file', 'images have 64 bits: compile with -m64'],
  ['a big-endian image', spoilt([5, 2]), 'it is not little-endian'],
  ['another machine', spoilt([18, 183, 0]), 'it is for AArch64, not for x86-64', 'compile it for x86-64'],
  ['an object file', spoilt([16, 1, 0]), 'it is an object file, not an executable', 'link it first: ld -static -o image.elf file.o'],
  ['a header cut short', writeElf(TINY).slice(0, 40), 'it ends before its header', 'the file is truncated: copy or link it again'],
  ['program headers cut short', writeElf(TINY).slice(0, 100), 'it ends before its program headers'],
  ['a segment cut short', writeElf({ ...TINY, stripped: true }).slice(0, 0x1004), 'it ends before its segment at 0x8001000'],
  ['symbols cut short', writeElf(TINY).slice(0, 0x2018), 'it ends before its section headers'],
  ['no segments', spoilt([56, 0, 0]), 'it has nothing to load'],
  ['a huge segment', spoilt([64 + 40, 0, 0, 0, 0, 0xff]), 'its segment at 0x8001000 takes 1095216660480 bytes'],
  ['segments over each other', spoilt([64 + 56 + 16, 0, 0x10]), 'its segments at 0x8001000 and 0x8001000 overlap'],
  ['an interpreter', spoilt([64, 3]), 'it needs a dynamic linker', 'link it with -static, or -static-pie'],
  ['memory of the host', writeElf({ ...TINY, address: 0x11_f000n }), 'overlaps memory of the host', 'link it elsewhere: -Ttext-segment=0x10000000'],
  ['an address that is not canonical', writeElf({ code: 'done: nop', address: 1n << 60n }), 'is not canonical'],
]

describe('an image that cannot be loaded is told with its place in the scenario', () => {
  test.each(BAD.map(([what, file, message, hint]) => ({ what, file, message, hint })))(
    '$what',
    async ({ file, message, hint }) => {
      const folder = folderWith({ 'x.yaml': guest('end: done'), 'x.elf': file })
      const { code, err } = await trapframe('run', join(folder, 'x.yaml'))
      expect(err).toContain('x.yaml:3:15  "x.elf" cannot be loaded: ')
      expect(err).toContain(message)
      if (hint !== undefined) expect(err).toContain(`^^^^^ ${hint}`)
      expect(code).toBe(2)
    },
  )

  test.each([
    ['entry: bgin', '"x.elf"', '3:29  unknown symbol "bgin"', 'did you mean "begin"?'],
    ['end: don', '"x.elf"', '3:27  unknown symbol "don"', 'did you mean "done"?'],
    ['base: 0x1000', '"x.elf"', '3:22  "x.elf" is linked to fixed addresses, and takes no base', 'leave it out'],
    ['entyr: begin', '"x.elf"', '3:22  unknown key "entyr"', 'did you mean "entry"?'],
  ])('%s', async (keys, _file, message, hint) => {
    const folder = folderWith({ 'x.yaml': guest(keys), 'x.elf': writeElf(TINY) })
    const { code, err } = await trapframe('run', join(folder, 'x.yaml'))
    expect(err).toContain(`x.yaml:${message}`)
    expect(err).toContain(hint)
    expect(code).toBe(2)
  })
})

describe('a scenario reads files in its own folder only', () => {
  const files = (path: string) => {
    const folder = folderWith({ 'secret.elf': writeElf({ code: 'secret_name: nop\n' }) })
    mkdirSync(join(folder, 'inner'))
    symlinkSync(join(folder, 'secret.elf'), join(folder, 'inner', 'link.elf'))
    writeFileSync(join(folder, 'inner', 'near.elf'), writeElf(TINY))
    const file = join(folder, 'inner', 'x.yaml')
    writeFileSync(file, `name: x\nmachine: { host: flat-fred }\nguest: { elf: "${path}", entry: unknown_name }\n`)
    return file
  }

  test.each(['../secret.elf', '/proc/self/exe', 'link.elf', '../inner/../secret.elf'])('not %s', async (path) => {
    const { code, err } = await trapframe('run', files(path))
    expect(err).toContain(`x.yaml:3:15  "${path}" lies outside of the scenario's folder`)
    expect(err).toContain('--allow-files')
    expect(err).not.toContain('secret_name')
    expect(code).toBe(2)
  })

  test('unless it may: --allow-files', async () => {
    const { err } = await trapframe('run', files('../secret.elf'), '--allow-files')
    expect(err).toContain('x.yaml:3:39  unknown symbol "unknown_name"')
  })

  test.each([
    ['.', 'lies outside'],
    ['naer.elf', 'there is no file "naer.elf"'],
  ])('%s is no image', async (path, message) => {
    const { code, err } = await trapframe('run', files(path))
    expect(err).toContain(message)
    if (path === 'naer.elf') expect(err).toContain('did you mean "near.elf"?')
    expect(code).toBe(2)
  })
})
