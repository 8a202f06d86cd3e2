import { beforeEach, describe, expect, it } from 'vitest'
import { BOTH, pvBench, trapped } from '../../test/pv-machine.js'
import { setLdt, updateDescriptor } from '../guest/hypercalls.js'
import { ANCHORS, GUEST_GDT } from '../guest/memory.js'

const ENTRY = 20
/** A call gate of DPL 3 to the guest's own 64-bit code, and its second half. */
const GATE = 0x0000_ec00_004b_0000n
const EINVAL = -22n

describe.each(BOTH)('P4, D1: call gates of 64-bit guests under %s', (delivery) => {
  const bench = pvBench({ delivery })
  beforeEach(() => bench.reset())
  const far = (selector: number): string =>
    `mov rbx, ${ANCHORS.data}\nmov dword [rbx], 0\nmov word [rbx + 4], ${selector}\nuse: call far dword [rbx]`

  it.each([
    ['the GDT', GUEST_GDT, ENTRY * 8],
    ['the LDT', ANCHORS.ldt, ENTRY * 8 + 4],
  ] as const)('one in %s gets DPL 0; using it is #GP with its selector', (_, table, selector) => {
    const { guest } = bench
    const at = table + BigInt(ENTRY * 8)
    expect(updateDescriptor(guest, at, GATE)).toBe(0n)
    expect(guest.cpu.space.read64(at)).toBe(0x0000_8c00_004b_0000n)
    expect(updateDescriptor(guest, at + 8n, 0n)).toBe(0n)
    expect(setLdt(guest, ANCHORS.ldt, 32)).toBe(0n)
    for (const kernel of [false, true]) {
      expect(bench.run(far(selector | 3), { kernel })).toEqual(trapped(13))
      expect(bench.frame().errorCode).toBe(BigInt(selector))
      expect(bench.frame().rip).toBeGreaterThan(ANCHORS.code)
      guest.toWorkStack()
      // back in the kernel: the handler is left where it is
    }
  })

  it('a gate to Xen’s own code is refused', () => {
    for (const target of [0xe008n, 0xe023n]) {
      expect(updateDescriptor(bench.guest, GUEST_GDT + 160n, (GATE & ~0xffff_0000n) | (target << 16n))).toBe(EINVAL)
    }
  })

  it('a gate that is not present is left as it is (kind 11: #NP under the IDT, #GP under FRED)', () => {
    const absent = GATE & ~(1n << 47n)
    expect(updateDescriptor(bench.guest, GUEST_GDT + 160n, absent)).toBe(0n)
    expect(bench.guest.cpu.space.read64(GUEST_GDT + 160n)).toBe(absent)
    expect(bench.run(far(163))).toEqual(trapped(delivery === 'idt' ? 11 : 13))
    expect(bench.frame().errorCode).toBe(160n)
  })
})
