import { describe, expect, test } from 'vitest'
import { CS, DS, RFLAGS, SS, STATUS } from '../state/registers.js'
import { AC, IF, IOPL, NT, RF, TF, VIF, VIP, VM } from '../state/rflags.js'
import { BLOCKED_BY_NMI } from '../state/status.js'
import { CODE, DATA, faultOf, gdtCpu, instruction, PERMISSIVE, push64, STACK, sel } from '../testing/gdt-machine.js'
import { interruptReturn } from './iret.js'

const IRETQ = instruction('iret', 8)

describe('IRETQ', () => {
  test('within ring 0 pops RSP and SS too (64-bit mode)', () => {
    const cpu = gdtCpu()
    push64(cpu, 0, 0xffff_8000_0000_1000n, 0x202, sel('ring0Code'), 0x1234)
    interruptReturn(cpu, IRETQ)
    expect([cpu.rip, cpu.rsp, cpu.rflags]).toEqual([0x1234n, 0xffff_8000_0000_1000n, 0x202n])
    expect(cpu.segment(SS).access).toBe(0x1_0000)
  })

  test('to ring 3 drops what ring 3 could not have loaded', () => {
    const cpu = gdtCpu()
    push64(cpu, sel('ring3Data', 3), DATA, 0x202, sel('ring3Code', 3), 0x1234)
    interruptReturn(cpu, IRETQ)
    expect([cpu.cpl, cpu.rip, cpu.rsp]).toEqual([3, 0x1234n, DATA])
    expect([cpu.segment(CS).selector, cpu.segment(DS).selector]).toEqual([sel('ring3Code', 3), 0])
  })

  test('a frame across two pages is popped like any other', () => {
    const cpu = gdtCpu()
    cpu.space.map(STACK, 1)
    cpu.rsp = STACK + 0x10n
    push64(cpu, 0, DATA, 0x202, sel('ring0Code'), 0x1234)
    interruptReturn(cpu, IRETQ)
    expect([cpu.rip, cpu.rsp, cpu.rflags]).toEqual([0x1234n, DATA, 0x202n])
  })

  test('espfix leak: with a 16-bit SS only SP is loaded, bits 31:16 stay the kernel’s', () => {
    const cpu = gdtCpu()
    push64(cpu, sel('ring3Data16', 3), 0x1111_2222, 0x202, sel('ring3Code32', 3), 0x1234)
    interruptReturn(cpu, IRETQ)
    expect(cpu.rsp & 0xffff_ffffn).toBe((STACK & 0xffff_0000n) | 0x2222n)
  })

  test('NT = 1 is #GP(0) in long mode (XSA-44)', () => {
    const cpu = gdtCpu()
    cpu.rflags = BigInt(NT | 2)
    expect(faultOf(() => interruptReturn(cpu, IRETQ))).toEqual({ vector: 13, errorCode: 0 })
  })

  test('CVE-2014-9322 BadIRET: SS that is not present is #SS(selector), still in ring 0 on the kernel stack', () => {
    const cpu = gdtCpu()
    cpu.space.write64(0x1_0068n, 0x124f_7234_5678_ffffn)
    push64(cpu, sel('freshData', 3), DATA, 0x202, sel('ring3Code', 3), 0x1234)
    const { rsp } = cpu
    expect(faultOf(() => interruptReturn(cpu, IRETQ))).toEqual({ vector: 12, errorCode: sel('freshData') })
    expect([cpu.cpl, cpu.rip, cpu.rsp]).toEqual([0, CODE, rsp])
  })

  test('A3: to an outer ring where the mechanism forbids it is #GP(selector); within ring 0 it works', () => {
    const cpu = gdtCpu({ policy: { ...PERMISSIVE, returnToOuterRing: false } })
    push64(cpu, sel('ring3Data', 3), DATA, 0x202, sel('ring3Code', 3), 0x1234)
    expect(faultOf(() => interruptReturn(cpu, IRETQ))).toEqual({ vector: 13, errorCode: sel('ring3Code') })
    push64(cpu, 0, STACK, 0x202, sel('ring0Code'), 0x1234)
    interruptReturn(cpu, IRETQ)
    expect(cpu.rip).toBe(0x1234n)
  })

  test('tells observers that a handler was left', () => {
    const cpu = gdtCpu()
    const left: string[] = []
    cpu.machine.observe({ returned: (_, mnemonic) => void left.push(mnemonic) })
    push64(cpu, 0, STACK, 0x202, sel('ring0Code'), 0x1234)
    interruptReturn(cpu, IRETQ)
    expect(left).toEqual(['iret'])
  })
})

describe('IRETD and IRETW', () => {
  test('IRETD pops five doublewords in 64-bit mode, also within a ring (silicon: user/iretd)', () => {
    const cpu = gdtCpu({ cpl: 3 })
    cpu.rsp = DATA
    const words = [0x1234, sel('ring3Code', 3), 0x202, 0x8000_0010, sel('ring3Data', 3)]
    words.forEach(
      (value, i) => void cpu.space.write(DATA + BigInt(4 * i), new Uint8Array(Uint32Array.of(value).buffer)),
    )
    interruptReturn(cpu, instruction('iret', 4))
    expect([cpu.rip, cpu.rsp]).toEqual([0x1234n, 0x8000_0010n])
  })

  test('IRETW pops five words and leaves RFLAGS[31:16] alone', () => {
    const cpu = gdtCpu({ cpl: 3 })
    cpu.rsp = DATA
    cpu.rflags = BigInt(AC | 2)
    const words = [0x1234, sel('ring3Code', 3), 0x0243, 0x8010, sel('ring3Data', 3)]
    cpu.space.write(DATA, new Uint8Array(Uint16Array.from(words).buffer))
    interruptReturn(cpu, instruction('iret', 2))
    expect([cpu.rip, cpu.rsp, cpu.rflags]).toEqual([0x1234n, 0x8010n, BigInt(AC | 0x43)])
  })

  test('in compatibility mode a return within ring 3 pops three doublewords and leaves SS:ESP', () => {
    const cpu = gdtCpu({ cpl: 3 })
    cpu.setSegment(CS, { selector: sel('ring3Code32', 3), base: 0n, limit: 0xffff_ffff, access: 0xc0fb })
    cpu.rsp = DATA
    const words = [0x1234, sel('ring3Code32', 3), 0x243]
    words.forEach(
      (value, i) => void cpu.space.write(DATA + BigInt(4 * i), new Uint8Array(Uint32Array.of(value).buffer)),
    )
    interruptReturn(cpu, instruction('iret', 4))
    expect([cpu.rip, cpu.rsp]).toEqual([0x1234n, DATA + 12n])
  })
})

describe('RFLAGS that IRET loads', () => {
  const ALL = 0x3f_7fd7
  const after = (cpl: number, old: number): number => {
    const cpu = gdtCpu({ cpl })
    cpu.rflags = BigInt(old | 2)
    push64(
      cpu,
      sel(cpl === 3 ? 'ring3Data' : 'ring0Data', cpl),
      STACK,
      ALL,
      sel(cpl === 3 ? 'ring3Code' : 'ring0Code', cpl),
      CODE,
    )
    interruptReturn(cpu, IRETQ)
    return cpu.words[RFLAGS]!
  }

  test('at CPL 0 everything but VM', () => {
    expect(after(0, 0)).toBe(ALL & ~VM)
  })

  test('at CPL 3 IF stays when IOPL is lower, IOPL, VIF and VIP stay always, RF, TF and NT are loaded', () => {
    expect(after(3, 0)).toBe(ALL & ~(VM | IF | IOPL | VIF | VIP))
    expect(after(3, IOPL)).toBe(ALL & ~(VM | VIF | VIP))
    expect(after(3, 0) & (RF | TF | NT)).toBe(RF | TF | NT)
  })
})

describe('NMIs unblock (SDM 3A 6.7.1)', () => {
  const blocked = (cpl = 0) => {
    const cpu = gdtCpu({ cpl })
    cpu.words[STATUS] = BLOCKED_BY_NMI
    return cpu
  }

  test('by an IRET at any privilege level (CVE-2015-3290)', () => {
    const cpu = blocked(3)
    push64(cpu, sel('ring3Data', 3), STACK, 0x202, sel('ring3Code', 3), CODE)
    interruptReturn(cpu, IRETQ)
    expect(cpu.words[STATUS]).toBe(0)
  })

  test('by an IRET that faults too: our decision where the manuals differ (NMI unblocking due to IRET, SDM 3C 28.2.3)', () => {
    const cpu = blocked()
    push64(cpu, 0, STACK, 0x202, 0, CODE)
    expect(faultOf(() => interruptReturn(cpu, IRETQ))).toEqual({ vector: 13, errorCode: 0 })
    expect(cpu.words[STATUS]).toBe(0)
  })
})
