import {
  CET_ENDBR_EN,
  CET_SH_STK_EN,
  CET_SUPPRESS,
  CET_TRACKER,
  type Cpu,
  CR4,
  CR4_CET,
  createMachine,
  type Machine,
  PL0_SSP,
  PL3_SSP,
  type RaisedEvent,
  raise,
  S_CET,
  U_CET,
  writeMsr,
} from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { shadowTop } from '../flat/memory.js'
import { readFrame } from '../frame/frame.js'
import { IA32_FRED_CONFIG, IA32_FRED_STKLVLS } from '../msrs.js'
import { fred } from '../plugin.js'

function flat(site: 'guest' | 'host'): { machine: Machine; cpu: Cpu } {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred()] })
  machine.boot('flat-fred', { options: { shadowStacks: true } }).sites[site]!.enter(machine.cpu)
  return { machine, cpu: machine.cpu }
}

const UD: RaisedEvent = { kind: 'hardwareException', vector: 6 }
const config = (cpu: Cpu): bigint => cpu.get64(cpu.machine.msrs.get(IA32_FRED_CONFIG)!.slot)

describe('A6: shadow stacks under FRED', () => {
  test('from ring 3 SSP becomes the level’s pointer: nothing is pushed, no token is read or written', () => {
    const { machine, cpu } = flat('guest')
    let touched = 0
    machine.observe({
      stored: (_cpu, lo) => void (touched += BigInt(lo) >= shadowTop(0, 0) - 0x1000n ? 1 : 0),
      loaded: () => void touched++,
    })
    raise(cpu, UD)
    expect(cpu.ssp).toBe(shadowTop(0, 0))
    expect(touched).toBe(0)
    expect(cpu.space.read64(shadowTop(0, 0) - 8n)).toBe(0n)
  })

  test('in ring 0 CS with the level, LIP and SSP are pushed, below the old SSP or on the level’s stack', () => {
    for (const wanted of [0n, 2n]) {
      const { cpu } = flat('host')
      writeMsr(cpu, IA32_FRED_STKLVLS, wanted << 12n)
      cpu.ssp -= 0x18n
      const { ssp, rip } = cpu
      raise(cpu, UD)
      const top = wanted === 0n ? ssp : shadowTop(0, 2)
      expect(cpu.ssp).toBe(top - 24n)
      expect([0n, 8n, 16n].map((offset) => cpu.space.read64(cpu.ssp + offset))).toEqual([ssp, rip, 0x08n])
      raise(cpu, UD)
      expect(cpu.space.read64(cpu.ssp + 16n)).toBe((wanted << 16n) | 0x08n)
    }
  })

  test('an SSP aligned to 4 bytes: four zero bytes fill the gap, and the frame is aligned to 8', () => {
    const { cpu } = flat('host')
    cpu.space.write64(cpu.ssp - 16n, 0xffff_ffff_ffff_ffffn)
    cpu.ssp -= 4n
    const { ssp } = cpu
    raise(cpu, UD)
    expect(cpu.ssp).toBe(ssp - 4n - 24n)
    expect(cpu.space.read64(cpu.ssp)).toBe(ssp)
    expect(cpu.space.read64(ssp - 4n)).toBe(0n)
  })

  test('IA32_FRED_CONFIG bit 3 leaves 8 bytes free, on the same level only', () => {
    const { cpu } = flat('guest')
    writeMsr(cpu, IA32_FRED_CONFIG, config(cpu) | 8n)
    raise(cpu, UD)
    expect(cpu.ssp).toBe(shadowTop(0, 0))
    raise(cpu, UD)
    expect(cpu.ssp).toBe(shadowTop(0, 0) - 8n - 24n)
  })

  test('IA32_PL0_SSP with bit 2 set: #GP, here while #UD is delivered, so a nested #GP', () => {
    const { cpu } = flat('guest')
    cpu.set64(PL0_SSP, shadowTop(0, 0) - 4n)
    writeMsr(cpu, IA32_FRED_STKLVLS, 1n << 26n)
    raise(cpu, UD)
    expect(readFrame(cpu)).toMatchObject({ vector: 13, nested: true, errorCode: 1 })
    expect(cpu.ssp).toBe(shadowTop(0, 1))
  })

  test('a page that is no shadow-stack page: #PF with bit 6 of the error code', () => {
    const { machine, cpu } = flat('host')
    machine.space(0n).map(shadowTop(0, 0) - 0x1000n, 1)
    writeMsr(cpu, IA32_FRED_STKLVLS, 1n << 28n)
    const { ssp } = cpu
    raise(cpu, UD)
    expect(readFrame(cpu)).toMatchObject({ vector: 14, nested: true, errorCode: 0x43, eventData: ssp - 4n })
  })

  test('a user shadow stack is put away in IA32_PL3_SSP', () => {
    for (const supervisor of [true, false]) {
      const { cpu } = flat('guest')
      cpu.setControl(S_CET, supervisor ? BigInt(CET_SH_STK_EN) : 0n)
      cpu.setControl(U_CET, BigInt(CET_SH_STK_EN))
      cpu.ssp = 0x50_0ff0n
      raise(cpu, UD)
      expect(cpu.get64(PL3_SSP)).toBe(0x50_0ff0n)
      expect(cpu.ssp).toBe(supervisor ? shadowTop(0, 0) : 0x50_0ff0n)
    }
  })
})

describe('IBT under FRED', () => {
  const tracking = (cpu: Cpu, slot: number, more: number): void => {
    cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_CET))
    cpu.setControl(slot, BigInt(CET_ENDBR_EN | more))
  }

  test('F26: the ring 0 tracker is idle and not suppressed at the entry, so that no ENDBR64 is needed', () => {
    for (const [more, waited] of [[CET_TRACKER, true] as const, [CET_SUPPRESS, false] as const, [0, false] as const]) {
      const { cpu } = flat('host')
      tracking(cpu, S_CET, more)
      raise(cpu, UD)
      expect(cpu.get64(S_CET)).toBe(BigInt(CET_ENDBR_EN))
      expect(readFrame(cpu).waitForEndbranch).toBe(waited)
    }
  })

  test('from ring 3 the frame never says that an ENDBRANCH was awaited: IA32_U_CET keeps that itself', () => {
    const { cpu } = flat('guest')
    tracking(cpu, S_CET, CET_TRACKER)
    tracking(cpu, U_CET, CET_TRACKER)
    raise(cpu, UD)
    expect(readFrame(cpu).waitForEndbranch).toBe(false)
    expect(cpu.get64(U_CET)).toBe(BigInt(CET_ENDBR_EN | CET_TRACKER))
    expect(cpu.get64(S_CET)).toBe(BigInt(CET_ENDBR_EN))
  })
})
