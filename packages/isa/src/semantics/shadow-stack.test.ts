import {
  CET_ENDBR_EN,
  CET_SH_STK_EN,
  CET_SUPPRESS,
  CET_TRACKER,
  CET_WR_SHSTK_EN,
  type Cpu,
  CR4,
  CR4_CET,
  S_CET,
  U_CET,
} from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { bytesOf, DATA, eventOf, execute, results, type Setup, SHADOW_STACK_0, SHADOW_STACK_3 } from './test-machine.js'

const ENABLED = CET_SH_STK_EN | CET_WR_SHSTK_EN

/** CET with these bits for both privileges, and 64-bit words on the supervisor's shadow stack. */
const cet =
  (bits: number, stored: Readonly<Record<string, bigint>> = {}) =>
  (cpu: Cpu) => {
    cpu.words[CR4] = cpu.words[CR4]! | CR4_CET
    cpu.words[S_CET] = bits
    cpu.words[U_CET] = bits
    for (const [address, value] of Object.entries(stored)) cpu.machine.space(0n).write64(BigInt(address), value)
    cpu.refresh()
  }

const prepare = cet(ENABLED)
/** Shadow stacks on, SSP a little further up. */
const movedBy = (delta: bigint) => (cpu: Cpu) => {
  prepare(cpu)
  cpu.ssp += delta
}
const at = (cpu: Cpu, address: bigint): bigint => cpu.machine.space(0n).read64(address)

describe('RDSSP and INCSSP', () => {
  test('RDSSP reads SSP, and is a NOP without shadow stacks', () => {
    expect(results('rdsspq rax', { prepare, registers: { rax: 1n } })).toEqual({ rax: SHADOW_STACK_0 })
    expect(results('rdsspd eax', { prepare, cpl: 3, registers: { rax: -1n } })).toEqual({ rax: SHADOW_STACK_3 })
    expect(results('rdsspq rax', { registers: { rax: 1n } })).toEqual({})
    expect(results('rdsspq rax', { cpu: 'skylake', registers: { rax: 1n } })).toEqual({})
  })

  test('INCSSP moves SSP by elements, of which it reads the first and the last', () => {
    expect(execute('incsspq rax', { prepare, registers: { rax: 0x102n } }).cpu.ssp).toBe(SHADOW_STACK_0 + 16n)
    expect(execute('incsspd eax', { prepare, registers: { rax: 255n } }).cpu.ssp).toBe(SHADOW_STACK_0 + 1020n)
    const far = execute('incsspq rax', {
      prepare: movedBy(0x700n),
      registers: { rax: 255n },
    })
    expect(far.event).toBe('#PF(40)')
    expect(far.cpu.ssp).toBe(SHADOW_STACK_0 + 0x700n)
  })
})

describe('WRSS and WRUSS', () => {
  const store = (source: string, setup: Setup = {}) =>
    execute(source, { prepare, registers: { rax: 0x1122_3344_5566_7788n, rbx: SHADOW_STACK_0 }, ...setup })

  test('WRSS writes to a shadow stack of its privilege', () => {
    expect(at(store('wrssq [rbx], rax').cpu, SHADOW_STACK_0)).toBe(0x1122_3344_5566_7788n)
    expect(at(store('wrssd [rbx+4], eax').cpu, SHADOW_STACK_0)).toBe(0x5566_7788_0000_0000n)
  })

  test('WRSS needs WR_SHSTK_EN (#UD), alignment (#GP(0)) and a shadow-stack page (#PF)', () => {
    expect(store('wrssq [rbx], rax', { prepare: cet(CET_SH_STK_EN) }).event).toBe('#UD')
    expect(store('wrssq [rbx+4], rax').event).toBe('#GP(0)')
    expect(store('wrssd [rbx+2], eax').event).toBe('#GP(0)')
    expect(store('wrssq [rbx], rax', { registers: { rbx: DATA } }).event).toBe('#PF(43)')
  })

  test('WRUSS writes to a user shadow stack from CPL 0, whatever the enables are but CR4.CET', () => {
    const registers = { rbx: SHADOW_STACK_3, rax: 5n }
    expect(at(execute('wrussq [rbx], rax', { prepare: cet(0), registers }).cpu, SHADOW_STACK_3)).toBe(5n)
    expect(eventOf('wrussq [rbx], rax', { registers })).toBe('#UD')
    expect(eventOf('wrussq [rbx], rax', { prepare, cpl: 3, registers })).toBe('#GP(0)')
    expect(eventOf('wrussd [rbx], eax', { prepare, registers: { rbx: SHADOW_STACK_0 } })).toBe('#PF(47)')
  })
})

describe('RSTORSSP', () => {
  const PLACE = SHADOW_STACK_0 - 0x100n
  const restore = (token: bigint, place = PLACE) =>
    execute('rstorssp [rbx]', {
      prepare: cet(ENABLED, { [`${PLACE}`]: token }),
      registers: { rbx: place },
      rflags: 0x8d7,
    })

  test('moves SSP to a restore token and leaves a previous-SSP token', () => {
    const { cpu, flags } = restore((PLACE + 8n) | 1n)
    expect(cpu.ssp).toBe(PLACE)
    expect(at(cpu, PLACE)).toBe(SHADOW_STACK_0 | 3n)
    expect(flags).toBe('')
  })

  test('CF says that the old SSP was 4-byte aligned', () => {
    expect(restore((PLACE + 12n) | 1n).flags).toBe('CF')
  })

  test.each([
    ['of compatibility mode', PLACE + 8n],
    ['that is a previous-SSP token', (PLACE + 8n) | 3n],
    ['for another place', (PLACE + 16n) | 1n],
    ['that is 0', 0n],
  ])('a token %s is #CP(4)', (_, token) => {
    const outcome = restore(token)
    expect(outcome.event).toBe('#CP(4)')
    expect(outcome.cpu.ssp).toBe(SHADOW_STACK_0)
    expect(at(outcome.cpu, PLACE)).toBe(token)
  })

  test('misaligned is #GP(0); elsewhere than on a shadow stack #PF, as a write', () => {
    expect(restore(0n, PLACE + 4n).event).toBe('#GP(0)')
    expect(restore(0n, DATA).event).toBe('#PF(43)')
  })
})

describe('SAVEPREVSSP', () => {
  const OLD = SHADOW_STACK_0 - 0x200n
  const save = (token: bigint, setup: Setup = {}) =>
    execute('saveprevssp', { prepare: cet(ENABLED, { [`${SHADOW_STACK_0}`]: token }), ...setup })

  test('pops the previous-SSP token and leaves a restore token on the old stack', () => {
    const { cpu } = save(OLD | 3n)
    expect(cpu.ssp).toBe(SHADOW_STACK_0 + 8n)
    expect(at(cpu, OLD - 8n)).toBe(OLD | 1n)
  })

  test('an old SSP that is 4-byte aligned gets four zero bytes first', () => {
    const { cpu } = save((OLD + 4n) | 3n)
    expect(at(cpu, OLD)).toBe(0n)
    expect(at(cpu, OLD - 8n)).toBe((OLD + 4n) | 1n)
  })

  test('#GP(0) without such a token, with CF set in 64-bit mode, with a misaligned SSP', () => {
    expect(save(OLD | 1n).event).toBe('#GP(0)')
    expect(save(OLD | 3n, { rflags: 3 }).event).toBe('#GP(0)')
    const misaligned = movedBy(4n)
    expect(eventOf('saveprevssp', { prepare: misaligned })).toBe('#GP(0)')
  })

  test('in compatibility mode CF says that a hole of four zero bytes follows', () => {
    const old = SHADOW_STACK_3 - 0x200n
    const stored = { [`${SHADOW_STACK_3}`]: old | 2n }
    const outcome = execute('saveprevssp', { bits: 32, cpl: 3, rflags: 3, prepare: cet(ENABLED, stored) })
    expect(outcome.event).toBe('')
    expect(outcome.cpu.ssp).toBe(SHADOW_STACK_3 + 12n)
  })
})

test.each(['incsspq rax', 'wrssq [rbx], rax', 'rstorssp [rbx]', 'saveprevssp'])(
  '%s without shadow stacks is #UD',
  (source) => {
    expect(eventOf(source, { prepare: cet(0) })).toBe('#UD')
    expect(eventOf(source, { cpl: 3, registers: { rbx: DATA }, data: bytesOf(0n, 8) })).toBe('#UD')
  },
)

describe('ENDBRANCH', () => {
  const WAITING = CET_ENDBR_EN | CET_TRACKER

  test('of the mode ends the wait', () => {
    expect(execute('endbr64', { prepare: cet(WAITING) }).cpu.words[S_CET]).toBe(CET_ENDBR_EN)
    expect(execute('endbr32', { bits: 32, cpl: 3, prepare: cet(WAITING) }).cpu.words[U_CET]).toBe(CET_ENDBR_EN)
    expect(execute('endbr64', { prepare: cet(CET_ENDBR_EN | CET_SUPPRESS) }).cpu.words[S_CET]).toBe(CET_ENDBR_EN)
  })

  test('of the other mode is any other instruction: #CP(3) while one is expected', () => {
    expect(eventOf('endbr32', { prepare: cet(WAITING) })).toBe('#CP(3)')
    expect(eventOf('endbr32', { prepare: cet(CET_ENDBR_EN) })).toBe('')
  })

  test('is a NOP where nothing is tracked', () => {
    expect(execute('endbr64', { cpu: 'skylake' })).toMatchObject({ event: '' })
  })
})
