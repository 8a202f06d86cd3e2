import { type Cpu, CR0, CR0_EM, CR0_MP, CR0_NE, CR0_TS, UnsupportedError } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { bytesOf, DATA, eventOf, execute, READ_ONLY } from './test-machine.js'

const withCr0 = (bits: number) => (cpu: Cpu) => cpu.setControl(CR0, cpu.cr0 | BigInt(bits))

describe('CR0.EM, TS and MP', () => {
  test.each([
    ['fnop', 0, ''],
    ['fnop', CR0_TS, '#NM'],
    ['fnop', CR0_EM, '#NM'],
    ['fninit', CR0_TS, '#NM'],
    ['fninit', 0, ''],
    ['fld1', CR0_TS, '#NM'],
    ['fnstsw ax', CR0_TS, '#NM'],
    ['fnclex', CR0_EM, '#NM'],
    ['emms', CR0_EM, '#UD'],
    ['emms', CR0_TS, '#NM'],
    ['fsin', CR0_TS, '#NM'],
    ['fnsave [rbx]', CR0_TS, '#NM'],
    ['fxsave [rbx]', CR0_TS, '#NM'],
    ['wait', CR0_TS, ''],
    ['wait', CR0_MP, ''],
    ['wait', CR0_MP | CR0_TS, '#NM'],
    ['wait', CR0_EM, ''],
  ])('%s with CR0 bits %i: %s', (source, bits, event) => {
    expect(eventOf(source, { prepare: withCr0(bits) })).toBe(event)
  })
})

/** Words from {@link DATA} on: the control word that FLDCW loads. */
const control = (fcw: number) => ({ registers: { rbx: DATA }, data: bytesOf(BigInt(fcw), 2) })
const DIVIDE_BY_ZERO = 'fninit\nfldcw [rbx]\nfld1\nfldz\nfdivp st1, st0'

describe('a pending exception is #MF at the next waiting instruction', () => {
  test.each(['wait', 'fld1', 'fnop', 'fldcw [rbx]', 'fstp st0'])('%s after 1 / 0 with #Z unmasked: #MF', (source) => {
    const { event } = execute(`${DIVIDE_BY_ZERO}\n${source}`, control(0x360))
    expect(event).toBe('#MF')
  })

  test.each(['fnstsw ax', 'fnstcw [rbx]', 'fnclex', 'fninit'])('%s does not wait', (source) => {
    expect(eventOf(`${DIVIDE_BY_ZERO}\n${source}`, control(0x360))).toBe('')
  })

  test('FNCLEX and FNINIT take it back, and so does a mask that comes later', () => {
    expect(eventOf(`${DIVIDE_BY_ZERO}\nfnclex\nwait`, control(0x360))).toBe('')
    expect(eventOf(`${DIVIDE_BY_ZERO}\nfninit\nwait`, control(0x360))).toBe('')
  })

  test('unmasking an exception whose flag is set makes it pending', () => {
    const source = `fninit\nfld1\nfldz\nfdivp st1, st0\nfldcw [rbx]\nwait`
    expect(eventOf(source, control(0x360))).toBe('#MF')
    expect(eventOf(source, control(0x37f))).toBe('')
  })

  test('with CR0.NE = 0 it would be an interrupt through FERR#: the run stops by name', () => {
    const prepare = (cpu: Cpu) => cpu.setControl(CR0, cpu.cr0 & ~BigInt(CR0_NE))
    expect(() => execute(`${DIVIDE_BY_ZERO}\nwait`, { ...control(0x360), prepare })).toThrow(UnsupportedError)
  })
})

describe('status and control word', () => {
  test.each([
    ['FNINIT: FCW 37Fh, FSW 0', 'fninit\nfnstcw [rbx]\nfnstsw ax', 0, 0n, 0x37f],
    ['a masked #Z leaves ZE', `${DIVIDE_BY_ZERO}\nfnstsw ax\nfnstcw [rbx]`, 0x37f, 0x3804n, 0x37f],
    ['an unmasked #Z leaves ZE, ES and B, and both registers', `${DIVIDE_BY_ZERO}\nfnstsw ax`, 0x360, 0xb084n, 0x360],
    ['bits of FCW that do not exist read as 0, bit 6 as 1', 'fldcw [rbx]\nfnstcw [rbx]', 0xffbf, 0n, 0x1f7f],
    ['FINCSTP and FDECSTP move TOP', 'fninit\nfincstp\nfincstp\nfdecstp\nfnstsw ax', 0x37f, 0x0800n, 0x37f],
  ])('%s', (_, source, fcw, ax, stored) => {
    const outcome = execute(source, control(fcw))
    expect(outcome.cpu.gpr(0)).toBe(ax)
    expect(outcome.data(2)).toEqual(bytesOf(BigInt(stored), 2))
  })
})

describe('the register stack', () => {
  const PUSHES = Array.from({ length: 8 }, () => 'fld1').join('\n')

  test.each([
    ['nine loads: overflow, SF and C1', `fninit\n${PUSHES}\nfldz\nfnstsw ax`, 0x3a41n],
    ['a read of an empty register: underflow, SF, C1 clear', 'fninit\nfadd st0, st1\nfnstsw ax', 0x41n],
    ['FFREE empties a register', 'fninit\nfld1\nffree st0\nfchs\nfnstsw ax', 0x3841n],
  ])('%s', (_, source, ax) => {
    expect(execute(source).cpu.gpr(0)).toBe(ax)
  })
})

describe('loads, stores and arithmetic in memory', () => {
  const run = (source: string, data: readonly number[] = []) => execute(source, { registers: { rbx: DATA }, data })

  test('a third in 80 bits, 64 bits and as an integer', () => {
    const three = bytesOf(3n, 4)
    const third = 'fninit\nfld1\nfidiv dword [rbx]\n'
    expect(run(`${third}fstp tword [rbx]`, three).data(10)).toEqual(bytesOf(0x3ffd_aaaa_aaaa_aaaa_aaabn, 10))
    expect(run(`${third}fstp qword [rbx]`, three).data(8)).toEqual(bytesOf(0x3fd5_5555_5555_5555n, 8))
    expect(run(`${third}fistp word [rbx]`, three).data(2)).toEqual([0, 0])
  })

  test('a value that an integer cannot hold is the smallest integer', () => {
    expect(run('fninit\nfld dword [rbx]\nfistp word [rbx]', bytesOf(0x4e800000n, 4)).data(2)).toEqual([0, 0x80])
  })

  test('a store that faults changes neither stack nor status', () => {
    const { event, cpu } = execute('fninit\nfld1\nfistp qword [rbx]', { registers: { rbx: READ_ONLY } })
    expect(event).toBe('#PF(3)')
    const status = cpu.words[cpu.machine.layout.regions.get('isa/fpu')!.slot + 1]
    expect(status).toBe(0x3800)
  })
})

test('EMMS empties the registers; what is known by its faults only stops the run by name', () => {
  expect(execute('fninit\nfld1\nemms\nfchs\nfnstsw ax').cpu.gpr(0)).toBe(0x3841n)
  expect(() => execute('fninit\nfld1\nfsin')).toThrow(/fsin/)
})

describe('comparison', () => {
  test.each([
    ['fcomi st0, st1', 'fld1\nfldz', 'CF'],
    ['fcomi st0, st1', 'fldz\nfld1', ''],
    ['fucomi st0, st1', 'fldz\nfldz\nfchs', 'ZF'],
    ['fcomi st0, st1', 'fldz\nfldz\nfdiv st0, st1', 'CF PF ZF'],
  ])('%s after %j sets %s', (source, loads, flags) => {
    expect(execute(`fninit\n${loads}\n${source}`).flags).toBe(flags)
  })

  test.each([
    ['ftst', 'fldz', 0x7800n],
    ['fxam', 'fld1\nfchs', 0x3e00n],
    ['fxam', 'fincstp\nfdecstp', 0x4100n],
    ['fcompp', 'fld1\nfldpi', 0x0000n],
  ])('%s after %j', (source, loads, ax) => {
    expect(execute(`fninit\n${loads}\n${source}\nfnstsw ax`).cpu.gpr(0)).toBe(ax)
  })
})

test('a reset CPU is as after FNINIT, and its x87 state is part of the snapshot', () => {
  const outcome = execute('fnstcw [rbx]\nfnstsw ax\nfld1', { registers: { rbx: DATA } })
  expect([outcome.data(2), outcome.cpu.gpr(0)]).toEqual([[0x7f, 3], 0n])
  const { machine } = outcome.cpu
  const hash = machine.hash()
  const snapshot = machine.snapshot()
  outcome.cpu.words[machine.layout.regions.get('isa/fpu')!.slot + 1] = 0
  expect(machine.hash()).not.toBe(hash)
  machine.restore(snapshot)
  expect(machine.hash()).toBe(hash)
})
