import { beforeEach, describe, expect, it } from 'vitest'
import { BOTH, pvBench, trapped } from '../../test/pv-machine.js'
import { setLdt, updateDescriptor } from '../guest/hypercalls.js'
import { ANCHORS } from '../guest/memory.js'
import { loadSelector } from '../guest/operations.js'

const SS = 0x2fn
const DATA = 0x00cf_f300_0000_ffffn

describe.each(BOTH)('a guest’s LDT under %s', (delivery) => {
  const bench = pvBench({ delivery })
  const { guest } = bench
  beforeEach(() => {
    bench.reset()
    expect(updateDescriptor(guest, ANCHORS.ldt + 0x28n, DATA)).toBe(0n)
    expect(setLdt(guest, ANCHORS.ldt, 16)).toBe(0n)
  })

  it('is there when it is first used by an instruction of the guest', () => {
    expect(loadSelector(guest, 'ds', SS)).toBeNull()
    expect(guest.cpu.segment(3).selector).toBe(Number(SS))
  })

  it('kind 8: first used by the frame of an iret hypercall, FRED reports #PF with CR2 = 0, the IDT tries again', () => {
    const stop = bench.run('mov ebx, ss\nud2', { ss: SS })
    if (delivery === 'idt') {
      expect(stop).toEqual(trapped(6))
      expect(guest.register('rbx')).toBe(SS)
    } else {
      expect(stop).toEqual(trapped(14))
      expect(bench.vcpu().info.get('cr2')).toBe(0n)
    }
  })

  it('kind 8 is none where the LDT was touched before', () => {
    loadSelector(guest, 'es', SS)
    expect(bench.run('ud2', { ss: SS })).toEqual(trapped(6))
  })

  it('an entry beyond its end is #GP with the selector; a page that is no page of descriptors is the guest’s #PF', () => {
    expect(bench.run('mov eax, 0x87\nmov ds, eax')).toEqual(trapped(13))
    expect(bench.frame().errorCode).toBe(0x84n)
    bench.reset()
    expect(setLdt(guest, ANCHORS.data, 16)).toBe(0n)
    expect(bench.run('mov eax, 0x2f\nmov ds, eax')).toEqual(trapped(14))
    expect(bench.vcpu().info.get('cr2')).toBe(ANCHORS.data + 0x28n)
  })

  it('one that is not at a page, too long or not canonical is -EINVAL; without entries there is none', () => {
    expect(setLdt(guest, ANCHORS.ldt + 8n, 1)).toBe(-22n)
    expect(setLdt(guest, ANCHORS.ldt, 8193)).toBe(-22n)
    expect(setLdt(guest, 0x8000_0000_0000n, 1)).toBe(-22n)
    expect(setLdt(guest, ANCHORS.ldt, 0)).toBe(0n)
    expect(loadSelector(guest, 'ds', SS)).toBe(13)
  })
})
