import {
  CET_ENDBR_EN,
  CET_NO_TRACK_EN,
  CET_SH_STK_EN,
  CET_TRACKER,
  type Cpu,
  CR4,
  CR4_CET,
  CS,
  S_CET,
  U_CET,
  ZF,
} from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { bytesOf, CODE, DATA, eventOf, execute, SHADOW_STACK_0, SHADOW_STACK_3, STACK } from './test-machine.js'

const NON_CANONICAL = 0x8000_0000_0000n

/** CR4.CET with the same bits in both CET MSRs. */
const cet = (bits: number) => (cpu: Cpu) => {
  cpu.words[CR4] = cpu.words[CR4]! | CR4_CET
  cpu.words[S_CET] = bits
  cpu.words[U_CET] = bits
  cpu.refresh()
}

describe('JMP', () => {
  test.each([
    ['jmp rax', { rax: DATA }],
    ['jmp [rbx]', { rbx: DATA }],
  ])('%s', (source, registers) => {
    expect(execute(source, { registers, data: bytesOf(DATA, 8) }).cpu.rip).toBe(DATA)
  })

  test('short and near, both ways', () => {
    expect(execute('jmp $+0x10', { steps: 1 }).cpu.rip).toBe(CODE + 0x10n)
    expect(execute('jmp $-0x1000', { steps: 1 }).cpu.rip).toBe(CODE - 0x1000n)
  })

  test('to a non-canonical address is #GP(0) at the JMP', () => {
    expect(execute('jmp rax', { registers: { rax: NON_CANONICAL } })).toMatchObject({ event: '#GP(0)', changed: {} })
  })

  test('beyond the CS limit in compatibility mode is #GP(0)', () => {
    const prepare = (cpu: Cpu) => cpu.setSegment(CS, { ...cpu.segment(CS), limit: 0x1ffff })
    expect(eventOf('jmp eax', { bits: 32, registers: { rax: 0x20000n }, prepare })).toBe('#GP(0)')
    expect(execute('jmp eax', { bits: 32, registers: { rax: 0xffff_0000_0001_fff0n }, prepare }).cpu.rip).toBe(0x1fff0n)
  })
})

describe('Jcc', () => {
  test.each([
    ['je $+8', ZF, true],
    ['je $+8', 0, false],
    ['jne $+8', ZF, false],
    ['jl $+8', 0x80, true],
    ['jl $+8', 0x880, false],
    ['jg $+8', 0x880, true],
    ['jbe $+8', 1, true],
    ['ja $+8', 1, false],
  ])('%s with RFLAGS %i', (source, rflags, taken) => {
    expect(execute(source, { rflags: 2 | rflags }).cpu.rip).toBe(CODE + (taken ? 8n : 2n))
  })
})

describe('LOOP and JRCXZ', () => {
  test.each([
    ['loop $+8', 2n, 0, true, 1n],
    ['loop $+8', 1n, 0, false, 0n],
    ['loop $+8', 0n, 0, true, 0xffff_ffff_ffff_ffffn],
    ['loop $+8', 0x1_0000_0000n, 0, true, 0xffff_ffffn],
    ['loope $+8', 2n, ZF, true, 1n],
    ['loope $+8', 2n, 0, false, 1n],
    ['loopne $+8', 2n, ZF, false, 1n],
    ['jrcxz $+8', 0n, 0, true, 0n],
    ['jrcxz $+8', 0x1_0000_0000n, 0, false, 0x1_0000_0000n],
  ])('%s with RCX %s', (source, rcx, rflags, taken, after) => {
    const outcome = execute(source, { registers: { rcx }, rflags: 2 | rflags })
    expect(outcome.cpu.rip).toBe(CODE + (taken ? 8n : 2n))
    expect(outcome.cpu.gpr(1)).toBe(after)
  })

  test('with an address size of 32 bits count in ECX and clear the upper half', () => {
    const outcome = execute('a32 loop $+8', { registers: { rcx: 0x5_0000_0001n } })
    expect(outcome.cpu.gpr(1)).toBe(0n)
    expect(execute('jecxz $+8', { registers: { rcx: 0x5_0000_0000n } }).cpu.rip).toBe(CODE + 8n)
  })
})

describe('CALL and RET', () => {
  test('push and pop the return address', () => {
    const outcome = execute('call $+0x20', { steps: 1 })
    expect(outcome.changed).toEqual({ rip: CODE + 0x20n, rsp: STACK - 8n })
    expect(outcome.cpu.machine.space(0n).read64(STACK - 8n)).toBe(CODE + 5n)
    expect(execute('call f\nhlt\nf: ret', { steps: 2 }).changed).toEqual({ rip: CODE + 5n })
  })

  test('RET imm16 releases more', () => {
    expect(execute('push 1\ncall f\nhlt\nf: ret 8', { steps: 3 }).changed).toEqual({ rip: CODE + 7n })
  })

  test('CALL [rsp] reads its target before it pushes', () => {
    const outcome = execute('push rax\ncall [rsp]', { registers: { rax: DATA } })
    expect(outcome.cpu.rip).toBe(DATA)
  })

  test('a target that is not canonical is #GP(0) before anything is written (CALL), with RSP untouched (RET)', () => {
    const call = execute('call rax', { registers: { rax: NON_CANONICAL } })
    expect(call).toMatchObject({ event: '#GP(0)', changed: {} })
    expect(call.cpu.machine.space(0n).read64(STACK - 8n)).toBe(0n)
    expect(execute('ret', { registers: { rsp: DATA }, data: bytesOf(NON_CANONICAL, 8) })).toMatchObject({
      event: '#GP(0)',
      changed: {},
    })
  })

  test('faulting stacks: #PF and #SS(0)', () => {
    expect(execute('call $+5', { registers: { rsp: DATA } })).toMatchObject({ event: '#PF(2)', changed: {} })
    expect(eventOf('ret', { registers: { rsp: NON_CANONICAL } })).toBe('#SS(0)')
  })

  test('in compatibility mode push four bytes', () => {
    expect(execute('call $+0x20', { bits: 32, steps: 1 }).cpu.rsp).toBe(STACK - 4n)
    expect(execute('call f\nhlt\nf: ret', { bits: 32, steps: 2 }).cpu.rip).toBe(CODE + 5n)
  })
})

describe('shadow stacks (SDM 1 17.2)', () => {
  const prepare = cet(CET_SH_STK_EN)

  test.each([
    ['supervisor', 0 as const, SHADOW_STACK_0],
    ['user', 3 as const, SHADOW_STACK_3],
  ])('%s: CALL pushes the return address, RET pops it', (_, cpl, ssp) => {
    const call = execute('call f\nhlt\nf: ret', { cpl, prepare, steps: 1 })
    expect(call.cpu.ssp).toBe(ssp - 8n)
    expect(call.cpu.machine.space(0n).read64(ssp - 8n)).toBe(CODE + 5n)
    const back = execute('call f\nhlt\nf: ret', { cpl, prepare, steps: 2 })
    expect(back.event).toBe('')
    expect(back.cpu.ssp).toBe(ssp)
  })

  test('RET to another address is #CP(1), and no pointer moves', () => {
    const outcome = execute('call f\nhlt\nf: push rax\nret', { prepare, steps: 3 })
    expect(outcome.event).toBe('#CP(1)')
    expect(outcome.cpu.ssp).toBe(SHADOW_STACK_0 - 8n)
    expect(outcome.cpu.rsp).toBe(STACK - 16n)
  })

  test('CALL to the next instruction pushes nothing on the shadow stack', () => {
    expect(execute('call $+5', { prepare }).cpu.ssp).toBe(SHADOW_STACK_0)
  })

  test('a shadow stack that is none is #PF with bit 6 after the ordinary push, with RSP untouched', () => {
    const wrong = (cpu: Cpu) => {
      prepare(cpu)
      cpu.ssp = DATA + 0x100n
    }
    expect(execute('call $+0x10', { prepare: wrong, cpl: 3 })).toMatchObject({ event: '#PF(47)', changed: {} })
    expect(eventOf('ret', { prepare: wrong, cpl: 3, registers: { rsp: STACK - 8n } })).toBe('#PF(45)')
  })

  test('in compatibility mode entries have four bytes', () => {
    const outcome = execute('call f\nhlt\nf: ret', { cpl: 3, bits: 32, prepare, steps: 1 })
    expect(outcome.cpu.ssp).toBe(SHADOW_STACK_3 - 4n)
    expect(execute('call f\nhlt\nf: ret', { cpl: 3, bits: 32, prepare, steps: 2 }).cpu.ssp).toBe(SHADOW_STACK_3)
  })
})

describe('indirect branch tracking (SDM 1 17.3)', () => {
  const waits = (source: string, bits: number) => {
    const outcome = execute(source, {
      prepare: cet(bits),
      registers: { rax: DATA, rbx: DATA },
      data: bytesOf(DATA, 8),
      steps: 1,
    })
    return (outcome.cpu.words[S_CET]! & CET_TRACKER) !== 0
  }

  test.each([
    ['jmp rax', true],
    ['jmp [rbx]', true],
    ['call rax', true],
    ['notrack jmp rax', true],
    ['jmp $+5', false],
    ['call $+5', false],
    ['ret', false],
  ])('%s: an ENDBRANCH must follow: %s', (source, expected) => {
    expect(waits(source, CET_ENDBR_EN)).toBe(expected)
  })

  test('NOTRACK counts where NO_TRACK_EN allows it', () => {
    expect(waits('notrack jmp rax', CET_ENDBR_EN | CET_NO_TRACK_EN)).toBe(false)
    expect(waits('notrack call [rbx]', CET_ENDBR_EN | CET_NO_TRACK_EN)).toBe(false)
    expect(waits('jmp rax', CET_ENDBR_EN | CET_NO_TRACK_EN)).toBe(true)
  })

  test('any other instruction at the target is #CP(3), ENDBR64 is not', () => {
    const prepare = cet(CET_ENDBR_EN)
    expect(eventOf('lea rax, [rel f]\njmp rax\nf: nop', { prepare })).toBe('#CP(3)')
    const good = execute('lea rax, [rel f]\njmp rax\nf: endbr64', { prepare })
    expect(good.event).toBe('')
    expect(good.cpu.words[S_CET]! & CET_TRACKER).toBe(0)
  })
})
