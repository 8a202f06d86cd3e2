import { PAGE_WRITABLE, type StackMap, writeMsr } from '@trapframe/core'
import { IA32_FRED_RSP0, IA32_FRED_RSP2, IA32_FRED_STKLVLS } from '@trapframe/fred'
import { describe, expect, it } from 'vitest'
import { xenMachine } from '../test/xen-machine.js'
import { stackOf, tssPage } from './layout/memory.js'

/** One line a region: offset in the stack, bytes, kind, attributes, name; then what points into it. */
function lines(map: StackMap): string[] {
  const stack = stackOf(map.cpu).linear
  return [
    ...map.regions.map(({ address, bytes, kind, attributes, name, pointers }) =>
      [
        `${(address - stack).toString(16).padStart(4)} ${bytes} ${kind} ${attributes} ${name}`,
        ...pointers.map(({ source, use, value }) => `${source}=${(value - stack).toString(16)} ${use}`),
      ].join(' | '),
    ),
    ...map.elsewhere.map(({ source, use, value }) => `elsewhere | ${source}=${value.toString(16)} ${use}`),
  ]
}

describe('stack map', () => {
  it('X4, X6: the IDT’s, from the top down', () => {
    const { boot, cpu } = xenMachine('panther-lake', { delivery: 'idt' })
    expect(lines(boot.stackMap(cpu))).toEqual([
      '7fc0 64 data w cpu_info',
      '6000 8128 stack w primary | TSS.RSP0=7fb0 entry from ring 3 | IA32_SYSENTER_ESP=7fb0 SYSENTER',
      '5000 4096 shadow-stack s primary shadow stack | IA32_PL0_SSP=5ff8 entry from ring 3',
      '4000 4096 stack w #DF | TSS.IST4=5000 IST4 (#DF)',
      '3000 4096 stack w #DB | TSS.IST3=4000 IST3 (#DB)',
      '2000 4096 stack w NMI | TSS.IST2=3000 IST2 (NMI)',
      '1000 4096 stack w #MC | TSS.IST1=2000 IST1 (#MC)',
      ' c00 1024 shadow-stack s #DF shadow stack | ISST[4]=ff8 IST4 (#DF)',
      ' 800 1024 shadow-stack s #DB shadow stack | ISST[3]=bf8 IST3 (#DB)',
      ' 400 1024 shadow-stack s NMI shadow stack | ISST[2]=7f8 IST2 (NMI)',
      '   0 1024 shadow-stack s #MC shadow stack | ISST[1]=3f8 IST1 (#MC)',
      'elsewhere | TSS.RSP1=8600111111111111 ring 1: poison',
      'elsewhere | TSS.RSP2=8600111111111111 ring 2: poison',
      'elsewhere | TSS.IST5=8600111111111111 IST5 (no gate): poison',
      'elsewhere | TSS.IST6=8600111111111111 IST6 (no gate): poison',
      'elsewhere | TSS.IST7=8600111111111111 IST7 (no gate): poison',
      'elsewhere | ISST[0]=8600111111111111 nothing: poison',
      'elsewhere | ISST[5]=8600111111111111 IST5 (no gate): poison',
      'elsewhere | ISST[6]=8600111111111111 IST6 (no gate): poison',
      'elsewhere | ISST[7]=8600111111111111 IST7 (no gate): poison',
    ])
  })

  it('X4, X5: FRED’s, from the top down', () => {
    const { boot, cpu } = xenMachine('panther-lake', { delivery: 'fred' })
    expect(lines(boot.stackMap(cpu))).toEqual([
      '7fc0 64 data w cpu_info',
      '6000 8128 stack w primary | IA32_FRED_RSP0=7fc0 SL0 (ring 3, and what has no level)',
      '5000 4096 shadow-stack s primary shadow stack | IA32_FRED_SSP0=6000 SL0 (ring 3, and what has no level)',
      '4000 4096 stack w #DF | IA32_FRED_RSP3=5000 SL3 (#DF)',
      '3000 4096 stack w #DB | IA32_FRED_SSP1=4000 SL1 (nothing): poison',
      '2000 4096 stack w NMI | IA32_FRED_SSP2=3000 SL2 (nothing): poison',
      '1000 4096 stack w #MC',
      ' c00 1024 shadow-stack s #DF shadow stack | IA32_FRED_SSP3=1000 SL3 (#DF)',
      ' 800 1024 shadow-stack s #DB shadow stack | IA32_FRED_RSP1=c00 SL1 (nothing): poison',
      ' 400 1024 shadow-stack s NMI shadow stack | IA32_FRED_RSP2=800 SL2 (nothing): poison',
      '   0 1024 shadow-stack s #MC shadow stack',
    ])
  })

  it('X4: without CET the shadow-stack pages are guards, and no shadow-stack pointer counts', () => {
    for (const delivery of ['idt', 'fred']) {
      const { boot, cpu } = xenMachine('panther-lake', { delivery, options: { shadowStacks: false } })
      const { regions, elsewhere } = boot.stackMap(cpu)
      const guards = regions.filter(({ kind }) => kind === 'guard')
      expect(guards.map(({ name }) => name)).toEqual([
        'guard (primary shadow stack)',
        'guard (#DF shadow stack)',
        'guard (#DB shadow stack)',
        'guard (NMI shadow stack)',
        'guard (#MC shadow stack)',
      ])
      const pointers = [...regions.flatMap((region) => region.pointers), ...elsewhere]
      expect(pointers.filter(({ source }) => /SSP|ISST/.test(source))).toEqual([])
    }
  })

  it('X5: is read back: a changed MSR moves the pointer, a changed level renames its use', () => {
    const { boot, cpu } = xenMachine('panther-lake', { delivery: 'fred' })
    const stack = stackOf(0).linear
    writeMsr(cpu, IA32_FRED_RSP2, stack + 0x3000n)
    writeMsr(cpu, IA32_FRED_STKLVLS, (3n << 16n) | (2n << 4n))
    const after = lines(boot.stackMap(cpu))
    expect(after).toContain(
      '2000 4096 stack w NMI | IA32_FRED_RSP2=3000 SL2 (NMI) | IA32_FRED_SSP2=3000 SL2 (NMI): poison',
    )
    writeMsr(cpu, IA32_FRED_RSP0, 0x40_0000n)
    expect(boot.stackMap(cpu).elsewhere).toEqual([
      { source: 'IA32_FRED_RSP0', use: 'SL0 (ring 3, and what has no level)', value: 0x40_0000n },
    ])
  })

  it('X6: is read back: a changed TSS, gate or page is seen too', () => {
    const { boot, cpu, machine } = xenMachine('panther-lake', { delivery: 'idt', options: { ist: false } })
    const stack = stackOf(0).linear
    const space = machine.space(0n)
    expect(lines(boot.stackMap(cpu))).toContain('2000 4096 stack w NMI | TSS.IST2=3000 IST2 (no gate)')
    space.write64(tssPage(0).linear + 0x2cn, stack + 0x2000n)
    expect(lines(boot.stackMap(cpu))).toContain(
      '1000 4096 stack w #MC | TSS.IST1=2000 IST1 (no gate) | TSS.IST2=2000 IST2 (no gate)',
    )
    space.map(stack + 0x6000n, 0, 1, stackOf(0).physical + 0x6000n)
    space.unmap(stack + 0x4000n)
    const regions = boot
      .stackMap(cpu)
      .regions.map(({ name, kind, bytes, attributes }) => [name, kind, bytes, attributes])
    expect(regions.slice(1, 5)).toEqual([
      ['primary', 'stack', 4032, 'w'],
      ['guard (primary)', 'guard', 4096, ''],
      ['primary shadow stack', 'shadow-stack', 4096, 's'],
      ['guard (#DF)', 'guard', 4096, null],
    ])
    expect(space.flagsAt(stack + 0x7000n) & PAGE_WRITABLE).toBe(PAGE_WRITABLE)
  })

  it('X4: every CPU has its own, aligned to its size', () => {
    const { boot, machine } = xenMachine('panther-lake', { delivery: 'fred' }, 4)
    const bases = machine.cpus.map((cpu) => boot.stackMap(cpu).regions.at(-1)!.address)
    expect(new Set(bases).size).toBe(4)
    for (const base of bases) expect(base % 0x8000n).toBe(0n)
    for (const cpu of machine.cpus) expect(lines(boot.stackMap(cpu))[1]).toMatch(/IA32_FRED_RSP0=7fc0/)
  })
})
