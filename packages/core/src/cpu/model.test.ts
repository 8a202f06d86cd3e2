import { describe, expect, test } from 'vitest'
import { createMachine } from '../machine/machine.js'
import { CPU_PRESETS, cpuModel, resolveCpuModel } from './model.js'

test('A19: FRED and LKGS on the presets that have them, and on no other', () => {
  const has = (feature: string): string[] => CPU_PRESETS.filter((p) => p.features.has(feature)).map((p) => p.name)
  expect(has('fred')).toEqual(['panther-lake', 'diamond-rapids', 'zen6'])
  expect(has('lkgs')).toEqual(['panther-lake', 'diamond-rapids', 'zen6'])
  expect(has('cet-ibt')).toEqual(['sapphire-rapids', 'panther-lake', 'diamond-rapids'])
})

describe('feature edits', () => {
  test('add and remove features of a preset', () => {
    const model = resolveCpuModel('skylake,+cet-ss,-smap')
    expect(model.features.has('cet-ss')).toBe(true)
    expect(model.features.has('smap')).toBe(false)
    expect(model.name).toBe('skylake,+cet-ss,-smap')
  })

  test('an edit that no CPU has is allowed and says so', () => {
    expect(resolveCpuModel('panther-lake,-lkgs').notes[0]).toContain('no real CPU has FRED without LKGS')
  })

  test.each([
    ['panter-lake', /unknown CPU "panter-lake"/],
    ['skylake,+warp', /unknown CPU feature "warp"/],
    ['skylake,smap', /"smap" in CPU "skylake,smap" is no edit/],
  ])('%s is refused with what is known', (spec, message) => {
    expect(() => resolveCpuModel(spec)).toThrowError(message)
  })
})

test('a feature that nobody implements is not there, although the model enumerates it', () => {
  const machine = createMachine({ cpu: 'panther-lake' })
  expect(machine.model.features.has('fred')).toBe(true)
  expect(machine.cpu.has('fred')).toBe(false)
  expect(machine.cpu.has('cet-ss')).toBe(true)
})

test('vendor behaviour is data, and can be edited', () => {
  const amd = cpuModel({ vendor: 'amd', features: [], linearAddressBits: 57, behaviour: { sysretForcesSsRpl: true } })
  expect(amd.behaviour).toMatchObject({ sysretForcesSsRpl: true, sysenterInLongMode: false })
  expect(amd.features.has('la57')).toBe(true)
})
