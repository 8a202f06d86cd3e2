import { describe, expect, test } from 'vitest'
import { pageFlags } from '../memory/access.js'
import { gdtCpu } from '../testing/gdt-machine.js'
import { pointersElsewhere, pointsInto, readGuardedStack, readStackRegion } from './stack-region.js'

const AT = 0x100_0000n
const top = AT + 0x1000n
const pointer = (source: string, value: bigint) => ({ source, use: 'test', value })

describe('a stack region, read back from the machine', () => {
  test('a stack pointer leads into the stack below it: from the lowest byte plus one to the top', () => {
    expect([AT, AT + 1n, top, top + 1n].map((value) => pointsInto(value, AT, 0x1000))).toEqual([
      false,
      true,
      true,
      false,
    ])
  })

  test('attributes are those of the page table now, null where nothing is mapped', () => {
    const cpu = gdtCpu()
    const part = { address: AT, bytes: 0x1000, name: 'primary', kind: 'stack' } as const
    expect(readStackRegion(cpu, part, []).attributes).toBeNull()
    cpu.space.map(AT, pageFlags('w'))
    expect(readStackRegion(cpu, part, []).attributes).toBe('w')
  })

  test('a stack of one page has its guard page below; a pointer at the guard’s top belongs to the guard', () => {
    const cpu = gdtCpu()
    cpu.space.map(AT, pageFlags('w'))
    const [rsp0, below, lost] = [pointer('RSP0', top), pointer('RSP1', AT), pointer('RSP2', 0n)]
    const regions = readGuardedStack(cpu, { top, name: 'SL0' }, [rsp0, below, lost])
    expect(regions).toEqual([
      { address: AT, bytes: 0x1000, name: 'SL0', kind: 'stack', attributes: 'w', pointers: [rsp0] },
      { address: AT - 0x1000n, bytes: 0x1000, name: 'SL0 guard', kind: 'guard', attributes: null, pointers: [below] },
    ])
    expect(pointersElsewhere([rsp0, below, lost], regions)).toEqual([lost])
  })

  test('a shadow-stack page makes it a shadow stack', () => {
    const cpu = gdtCpu()
    cpu.space.map(AT, pageFlags('s'))
    expect(readGuardedStack(cpu, { top, name: 'SL0 shadow' }, [])[0]).toMatchObject({
      kind: 'shadow-stack',
      attributes: 's',
    })
  })
})
