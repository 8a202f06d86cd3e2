import { describe, expect, test } from 'vitest'
import { pageFlags } from '../memory/access.js'
import { loadSegment } from '../segment/load.js'
import { DS, ES, GDTR, SS, TABLE_LIMIT } from '../state/registers.js'
import { gdtCpu } from '../testing/gdt-machine.js'
import { FLAT_SITE_AREAS, FLAT_SITES, flatGuestGsBase, flatHostGsBase, flatSites, mapFlatSites } from './flat-sites.js'

const STACK = 0x100_2000n
const sites = flatSites({
  hostStack: () => STACK,
  setShadowStack: (cpu, cpl) => {
    cpu.ssp = BigInt(cpl)
  },
})

describe('the sites of a flat host', () => {
  test('everything that is mapped belongs to somebody, and the guest’s memory is the user’s', () => {
    const { space } = gdtCpu()
    mapFlatSites(space)
    for (const [owner, areas] of Object.entries(FLAT_SITE_AREAS)) {
      for (const { address, bytes } of areas) {
        for (const at of [address, address + BigInt(bytes) - 1n]) {
          expect(space.flagsAt(at) & pageFlags('u')).toBe(owner === 'guest' ? pageFlags('u') : pageFlags(''))
        }
      }
    }
  })

  test('ring 3: flat segments, its own GS base, the host’s in KERNEL_GS_BASE, interrupts on', () => {
    const cpu = gdtCpu()
    sites.guest.enter(cpu)
    expect([cpu.cpl, cpu.codeSize, cpu.rip, cpu.rsp, cpu.rflags, cpu.ssp]).toEqual([
      3,
      64,
      FLAT_SITES.GUEST_CODE,
      FLAT_SITES.GUEST_STACK_TOP,
      0x202n,
      3n,
    ])
    expect([cpu.gsBase, cpu.kernelGsBase]).toEqual([flatGuestGsBase(0), flatHostGsBase(0)])
  })

  test('ring 0: on the stack that the host names, with the GS bases exchanged', () => {
    const cpu = gdtCpu()
    sites.host.enter(cpu)
    expect([cpu.cpl, cpu.codeSize, cpu.rip, cpu.rsp, cpu.rflags, cpu.ssp]).toEqual([
      0,
      64,
      FLAT_SITES.HOST_CODE,
      STACK,
      0x202n,
      0n,
    ])
    expect([cpu.gsBase, cpu.kernelGsBase]).toEqual([flatHostGsBase(0), flatGuestGsBase(0)])
  })

  test.each(['guest', 'host'] as const)('the GDT holds what the %s site has in its segment caches', (name) => {
    const cpu = gdtCpu()
    mapFlatSites(cpu.space)
    cpu.set64(GDTR, FLAT_SITES.GDT)
    cpu.words[GDTR + TABLE_LIMIT] = 0xfff
    sites[name].enter(cpu)
    for (const n of [SS, DS, ES] as const) {
      const before = cpu.segment(n)
      loadSegment(cpu, n, before.selector)
      expect(cpu.segment(n)).toEqual(before)
    }
  })
})
