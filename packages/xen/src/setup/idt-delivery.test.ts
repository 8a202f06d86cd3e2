import { IDTR, readMsr, TABLE_LIMIT } from '@trapframe/core'
import { IA32_CSTAR, IA32_LSTAR, readGate, readIst, readRsp } from '@trapframe/idt'
import { describe, expect, it } from 'vitest'
import { xenMachine } from '../../test/xen-machine.js'
import { stackOf } from '../layout/memory.js'
import { POISON } from './tables.js'

const idtMachine = (options: Record<string, unknown> = {}, cpus = 1) =>
  xenMachine('sapphire-rapids', { delivery: 'idt', options }, cpus)

describe('the IDT', () => {
  it('256 present interrupt gates of E008; DPL 3 for INT3, INTO and INT 80h', () => {
    const { cpu, label } = idtMachine()
    expect(cpu.words[IDTR + TABLE_LIMIT]).toBe(4095)
    const open: number[] = []
    for (let vector = 0; vector < 256; vector++) {
      const gate = readGate(cpu, vector)!
      expect(gate).toMatchObject({ type: 'interrupt', selector: 0xe008, present: true })
      if (gate.dpl === 3) open.push(vector)
      else expect(gate.dpl).toBe(0)
    }
    expect(open).toEqual([3, 4, 0x80])
    expect(readGate(cpu, 14)?.offset).toBe(label('entry_PF'))
    expect(readGate(cpu, 0x21)?.offset).toBe(label('entry_vec_21'))
  })

  it('X3: INT 82h has DPL 1 while 32-bit guests may run', () => {
    const { cpu } = xenMachine('skylake')
    expect(readGate(cpu, 0x82)?.dpl).toBe(1)
  })

  it('IST 1–4 on #MC, NMI, #DB, #DF and nothing else', () => {
    const { cpu } = idtMachine()
    const named = Array.from({ length: 256 }, (_, vector) => [vector, readGate(cpu, vector)!.ist]).filter(
      ([, ist]) => ist,
    )
    expect(named).toEqual([
      [1, 3],
      [2, 2],
      [8, 4],
      [18, 1],
    ])
  })

  it('ist: false leaves #DF its stack only', () => {
    const { cpu } = idtMachine({ ist: false })
    const named = Array.from({ length: 256 }, (_, vector) => [vector, readGate(cpu, vector)!.ist]).filter(
      ([, ist]) => ist,
    )
    expect(named).toEqual([[8, 4]])
  })
})

describe('the TSS', () => {
  it('X4: RSP0 is the end of guest_cpu_user_regs, the interrupt stacks are pages 1 to 4', () => {
    const { cpu } = idtMachine()
    const stack = stackOf(0).linear
    expect(readRsp(cpu, 0)).toBe(stack + 0x8000n - 80n)
    expect([1, 2, 3, 4].map((n) => readIst(cpu, n)! - stack)).toEqual([0x2000n, 0x3000n, 0x4000n, 0x5000n])
  })

  it('X6: RSP1, RSP2 and IST5–7 are poisoned with an address that is not canonical, so are the spare shadow stacks', () => {
    const { cpu } = idtMachine()
    expect(POISON).toBe(0x8600_1111_1111_1111n)
    expect([readRsp(cpu, 1), readRsp(cpu, 2)]).toEqual([POISON, POISON])
    expect([5, 6, 7].map((n) => readIst(cpu, n))).toEqual([POISON, POISON, POISON])
    const table = readMsr(cpu, 0x6a8)
    expect([0, 5, 6, 7].map((n) => cpu.space.read64(table + BigInt(8 * n)))).toEqual([POISON, POISON, POISON, POISON])
  })
})

describe('shadow stacks under the IDT', () => {
  it('A6: every shadow stack ends in a free token, but for the one that Xen runs on', () => {
    const { cpu, boot } = idtMachine()
    const stack = stackOf(0).linear
    const primary = stack + 0x6000n - 8n
    expect(readMsr(cpu, 0x6a4)).toBe(primary)
    expect(cpu.space.read64(primary)).toBe(primary | 1n)
    expect(cpu.ssp).toBe(primary)
    for (const index of [1n, 2n, 3n, 4n]) {
      const token = stack + index * 1024n - 8n
      expect(cpu.space.read64(readMsr(cpu, 0x6a8) + 8n * index)).toBe(token)
      expect(cpu.space.read64(token)).toBe(token)
    }
    boot.sites.guest!.enter(cpu)
    expect(cpu.space.read64(primary)).toBe(primary)
  })
})

describe('SYSCALL and SYSENTER', () => {
  it('STAR, FMASK, and trampolines of their own for each CPU', () => {
    const { machine, label } = idtMachine({}, 3)
    for (const cpu of machine.cpus) {
      expect(readMsr(cpu, 0xc000_0081)).toBe(0xe023_e008_0000_0000n)
      expect(readMsr(cpu, 0xc000_0084)).toBe(0x74700n)
    }
    const lstar = machine.cpus.map((cpu) => readMsr(cpu, IA32_LSTAR))
    expect(new Set(lstar).size).toBe(3)
    expect(lstar).toEqual([label('lstar_trampoline'), label('lstar_trampoline_1'), label('lstar_trampoline_2')])
    expect(readMsr(machine.cpu, IA32_CSTAR)).toBe(label('cstar_trampoline'))
  })

  it('the SYSENTER MSRs are written where SYSENTER works in long mode', () => {
    const intel = idtMachine()
    expect(readMsr(intel.cpu, 0x176)).toBe(intel.label('sysenter_entry'))
    expect(readMsr(intel.cpu, 0x175)).toBe(readRsp(intel.cpu, 0))
    expect(readMsr(xenMachine('zen4').cpu, 0x176)).toBe(0n)
  })
})
