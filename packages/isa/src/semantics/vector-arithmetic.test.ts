import { type Cpu, CR0, CR0_EM, CR0_TS, CR4, CR4_OSFXSR, UnsupportedError, XMM } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { mxcsr as mxcsrOf } from './fpu-state.js'
import { bytesOf, DATA, eventOf, execute } from './test-machine.js'
import { CR4_OSXMMEXCPT } from './vector-control.js'

const ENABLED = BigInt(CR4_OSFXSR | CR4_OSXMMEXCPT)
const enable = (cpu: Cpu) => cpu.setControl(CR4, cpu.cr4 | ENABLED)

const single = (value: number) => BigInt(new Uint32Array(Float32Array.of(value).buffer)[0]!)
const double = (value: number) => new BigUint64Array(Float64Array.of(value).buffer)[0]!

/** Runs code with MXCSR and two numbers in the low ends of XMM0 and XMM1. */
function run(source: string, mxcsr: number, a: bigint, b: bigint, prepare: (cpu: Cpu) => void = enable) {
  const outcome = execute(`ldmxcsr [rbx]\n${source}\n`, {
    registers: { rbx: DATA },
    data: bytesOf(BigInt(mxcsr), 4),
    prepare: (cpu) => {
      prepare(cpu)
      cpu.set64(XMM, a)
      cpu.set64(XMM + 4, b)
    },
  })
  return { ...outcome, xmm0: outcome.cpu.get64(XMM) }
}

describe('#XM', () => {
  const divide = (mxcsr: number, prepare = enable) => run('divss xmm1, xmm0', mxcsr, 0n, single(1), prepare)

  test('1 / 0 with #Z unmasked is #XM; ZE is set, and the destination stays', () => {
    const outcome = divide(0x1d80)
    expect(outcome.event).toBe('#XM')
    expect(outcome.cpu.get64(XMM + 4)).toBe(single(1))
    expect(mxcsrOf(outcome.cpu)).toBe(0x1d84)
  })

  test('without CR4.OSXMMEXCPT it is #UD', () => {
    const prepare = (cpu: Cpu) => cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_OSFXSR))
    expect(divide(0x1d80, prepare).event).toBe('#UD')
    expect(divide(0x1f80, prepare).event).toBe('')
  })

  test('masked: infinity, and ZE stays in MXCSR', () => {
    const outcome = run('divss xmm1, xmm0\nstmxcsr [rbx]', 0x1f80, 0n, single(1))
    expect(outcome.cpu.get64(XMM + 4)).toBe(single(Infinity))
    expect(outcome.data(4)).toEqual([0x84, 0x1f, 0, 0])
  })

  test.each([
    ['#I', 'subsd xmm0, xmm1', 0x1f00, double(Infinity), double(Infinity)],
    ['#D', 'addsd xmm0, xmm1', 0x1e80, double(1), double(5e-324)],
    ['#O', 'mulsd xmm0, xmm1', 0x1b80, double(1e300), double(1e300)],
    ['#U', 'mulsd xmm0, xmm1', 0x1780, double(1e-300), double(1e-300)],
    ['#P', 'addsd xmm0, xmm1', 0x0f80, double(1), double(1e-30)],
    ['#I of a comparison', 'comiss xmm0, xmm1', 0x1f00, single(Number.NaN), 0n],
    ['#P of a conversion', 'cvtsd2si eax, xmm0', 0x0f80, double(0.5), 0n],
    ['#P of one element of two', 'addpd xmm0, xmm1', 0x0f80, double(1), double(1e-30)],
  ])('%s: %s', (_, source, mxcsr, a, b) => {
    const outcome = run(source, mxcsr, a, b)
    expect(outcome.event).toBe('#XM')
    expect(outcome.xmm0).toBe(a)
    expect(run(source, 0x1f80, a, b).event).toBe('')
  })

  test('a flag whose mask LDMXCSR clears at the same time raises nothing, before or after', () => {
    expect(run('addss xmm0, xmm1', 0x1d84, single(1), single(1)).event).toBe('')
  })

  test('LDMXCSR of a reserved bit is #GP(0)', () => {
    expect(run('nop', 0x11f80, 0n, 0n).event).toBe('#GP(0)')
  })
})

test('MXCSR is 1F80h on a reset CPU', () => {
  expect(execute('stmxcsr [rbx]', { registers: { rbx: DATA }, prepare: enable }).data(4)).toEqual([0x80, 0x1f, 0, 0])
})

describe('results, rounded by MXCSR.RC', () => {
  test.each([
    ['addss xmm0, xmm1', 0x1f80, single(1), single(2), single(3)],
    ['divsd xmm0, xmm1', 0x1f80, double(1), double(3), double(1 / 3)],
    ['divsd xmm0, xmm1', 0x5f80, double(1), double(3), double(1 / 3) + 1n],
    ['divsd xmm0, xmm1', 0x3f80, double(-1), double(3), double(-1 / 3) + 1n],
    ['divsd xmm0, xmm1', 0x7f80, double(2), double(3), double(2 / 3)],
    ['sqrtsd xmm0, xmm1', 0x1f80, 0n, double(2), double(Math.SQRT2)],
    ['minss xmm0, xmm1', 0x1f80, single(1), single(-1), single(-1)],
    ['maxss xmm0, xmm1', 0x1f80, single(Number.NaN), single(-1), single(-1)],
    ['cmpsd xmm0, xmm1, 1', 0x1f80, double(1), double(2), 0xffff_ffff_ffff_ffffn],
    ['cvtss2sd xmm0, xmm1', 0x1f80, 0n, single(1.5), double(1.5)],
    ['mulss xmm0, xmm1', 0x9f80, single(1e-30), single(1e-30), 0n],
    ['addss xmm0, xmm1', 0x1fc0, single(0), 1n, 0n],
    ['addps xmm0, xmm1', 0x1f80, (single(1) << 32n) | single(2), single(3), (single(1) << 32n) | single(5)],
  ])('%s with MXCSR %i', (source, mxcsr, a, b, result) => {
    expect(run(source, mxcsr, a, b).xmm0).toBe(result)
  })

  test('a quiet NaN compares as unordered without #I for UCOMISD, with it for COMISD', () => {
    const nan = double(Number.NaN)
    expect(run('ucomisd xmm0, xmm1', 0x1f00, nan, 0n)).toMatchObject({ event: '', flags: 'CF PF ZF' })
    expect(run('comisd xmm0, xmm1', 0x1f00, nan, 0n).event).toBe('#XM')
  })

  test('CVTTSD2SI: what does not fit is the smallest integer', () => {
    expect(run('cvttsd2si eax, xmm0', 0x1f80, double(3e9), 0n).cpu.gpr(0)).toBe(0x8000_0000n)
    expect(run('cvttsd2si rax, xmm0', 0x1f80, double(-3e9), 0n).cpu.gpr(0)).toBe(BigInt.asUintN(64, -3_000_000_000n))
  })
})

describe('moves', () => {
  const registers = { rax: 0x1111_2222_3333_4444n, rbx: DATA }
  const all = (cpu: Cpu, n: number) => [cpu.get64(XMM + 4 * n), cpu.get64(XMM + 4 * n + 2)]
  const prepare = (cpu: Cpu) => {
    enable(cpu)
    cpu.words.fill(-1, XMM, XMM + 8)
  }
  const data = bytesOf(0x8888_7777_6666_5555n, 8)

  test.each([
    ['movd xmm0, eax', [0x3333_4444n, 0n]],
    ['movq xmm0, rax', [0x1111_2222_3333_4444n, 0n]],
    ['movss xmm0, [rbx]', [0x6666_5555n, 0n]],
    ['movsd xmm0, [rbx]', [0x8888_7777_6666_5555n, 0n]],
    ['movq xmm0, [rbx]', [0x8888_7777_6666_5555n, 0n]],
    ['movd xmm1, eax\nmovss xmm0, xmm1', [0xffff_ffff_3333_4444n, 0xffff_ffff_ffff_ffffn]],
    ['movhps xmm0, [rbx]', [0xffff_ffff_ffff_ffffn, 0x8888_7777_6666_5555n]],
    ['pxor xmm1, xmm1\nandps xmm0, xmm1', [0n, 0n]],
  ])('%j', (source, expected) => {
    expect(all(execute(source, { prepare, registers, data }).cpu, 0)).toEqual(expected)
  })

  test('MOVD and MOVSD store', () => {
    expect(execute('movd xmm0, eax\nmovd [rbx], xmm0', { prepare, registers, data }).data(8)).toEqual(
      bytesOf(0x8888_7777_3333_4444n, 8),
    )
    expect(execute('movd ecx, xmm0', { prepare, registers }).cpu.gpr(1)).toBe(0xffff_ffffn)
  })

  test('the forms on MMX registers stop the run by name', () => {
    expect(() => execute('movd mm0, eax', { prepare })).toThrow(UnsupportedError)
  })
})

test.each([
  ['without CR4.OSFXSR', (): void => {}, '#UD'],
  ['with CR0.EM', (cpu: Cpu) => withCr0(cpu, CR0_EM), '#UD'],
  ['with CR0.TS', (cpu: Cpu) => withCr0(cpu, CR0_TS), '#NM'],
])('SSE %s', (_, prepare, event) => {
  for (const source of [
    'movd eax, xmm0',
    'addss xmm0, [rbx]',
    'ldmxcsr [rbx]',
    'ucomiss xmm0, xmm1',
    'cvtsi2ss xmm0, eax',
  ]) {
    expect(eventOf(source, { prepare, registers: { rbx: 1n } })).toBe(event)
  }
})

function withCr0(cpu: Cpu, bits: number): void {
  enable(cpu)
  cpu.setControl(CR0, cpu.cr0 | BigInt(bits))
}
