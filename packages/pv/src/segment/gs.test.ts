import { FRED_GS, IDT_GS, loadSegments, saveSegments, vcpuOf } from '@trapframe/xen'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BOTH, calledBack, type PvBench, pvBench } from '../../test/pv-machine.js'
import { SEGMENT_BASES, setSegmentBase } from '../guest/hypercalls.js'
import { ANCHORS, MARKS } from '../guest/memory.js'
import { loadSelector, readGsQword, readMsr } from '../guest/operations.js'

const GS_BASE_MSR = 0xc000_0101n
const KERNEL_GS_BASE_MSR = 0xc000_0102n
const FS_BASE_MSR = 0xc000_0100n
const EINVAL = -22n

describe.each(BOTH)('P2, P3, D2: a guest’s GS under %s', (delivery) => {
  let bench: PvBench
  beforeAll(() => {
    bench = pvBench({ delivery })
  })
  beforeEach(() => bench.reset())
  const bases = (): [bigint, bigint] => [readMsr(bench.guest, GS_BASE_MSR), readMsr(bench.guest, KERNEL_GS_BASE_MSR)]

  it('toggle_guest_mode: user code runs with its own base, the kernel with its own, whichever way it is entered', () => {
    expect(bench.run('mov rbx, [gs:0]\nsyscall')).toEqual(calledBack('syscall'))
    expect(bench.guest.register('rbx')).toBe(MARKS.gsu)
    expect(readGsQword(bench.guest)).toBe(MARKS.gsk)
    expect(bases()).toEqual([ANCHORS.gsk, ANCHORS.gsu])
  })

  it('toggle_guest_mode records what user code itself has made of its base', () => {
    const { guest } = bench
    expect(setSegmentBase(guest, SEGMENT_BASES.GS_USER, ANCHORS.gsx)).toBe(0n)
    expect(bench.run('mov rbx, [gs:0]\nud2')).toMatchObject({ kind: 'entry' })
    expect(guest.register('rbx')).toBe(MARKS.gsx)
    expect(bench.vcpu().vcpu.get('gs_base_user')).toBe(ANCHORS.gsx)
    expect(bases()).toEqual([ANCHORS.gsk, ANCHORS.gsx])
  })

  it('set_segment_base: each base goes where the guest finds it; a non-canonical one is -EINVAL', () => {
    const { guest } = bench
    expect(setSegmentBase(guest, SEGMENT_BASES.GS_KERNEL, ANCHORS.gsx)).toBe(0n)
    expect(readGsQword(guest)).toBe(MARKS.gsx)
    expect(setSegmentBase(guest, SEGMENT_BASES.FS, ANCHORS.gsu)).toBe(0n)
    expect(readMsr(guest, FS_BASE_MSR)).toBe(ANCHORS.gsu)
    for (const which of [SEGMENT_BASES.FS, SEGMENT_BASES.GS_USER, SEGMENT_BASES.GS_KERNEL]) {
      expect(setSegmentBase(guest, which, 0x8000_0000_0000n)).toBe(EINVAL)
    }
    expect(bases()).toEqual([ANCHORS.gsx, ANCHORS.gsu])
    expect(setSegmentBase(guest, 9n, 0n)).toBe(EINVAL)
  })

  it('set_segment_base with a selector: the base of the descriptor is user code’s, the kernel’s stays; a bad one is null', () => {
    const { guest } = bench
    expect(setSegmentBase(guest, SEGMENT_BASES.GS_USER_SEL, 0x58n)).toBe(0n)
    expect(bases()).toEqual([ANCHORS.gsk, 0n])
    expect(readGsQword(guest)).toBe(MARKS.gsk)
    expect(setSegmentBase(guest, SEGMENT_BASES.GS_USER_SEL, 0x6bn)).toBe(0n)
    expect(bases()[0]).toBe(ANCHORS.gsk)
  })

  it('the kernel’s WRMSR goes to the base that it means, and its own MOV to GS loads the active one', () => {
    const { guest } = bench
    bench.run(
      `mov ecx, 0xc0000102\nmov eax, ${ANCHORS.gsx}\nxor edx, edx\nwrmsr\nmov ecx, 0xc0000101\nmov eax, ${ANCHORS.gsu}\nwrmsr\nmov rbx, [gs:0]\nud2`,
      { kernel: true },
    )
    expect(guest.register('rbx')).toBe(MARKS.gsu)
    expect(bases()).toEqual([ANCHORS.gsu, ANCHORS.gsx])
    expect(loadSelector(guest, 'gs', 0x5bn)).toBeNull()
    expect(bases()).toEqual([0n, ANCHORS.gsx])
  })

  it.each(['kernel', 'user'] as const)(
    'save_segments, load_segments: over a switch to another vCPU and back nothing of GS and FS is lost (%s mode)',
    (mode) => {
      const { cpu, layout } = bench.guest
      const one = vcpuOf(cpu, 'guest', layout)
      // A second vCPU of the same CPU: the idle one's struct serves, with bases of its own.
      const other = vcpuOf(cpu, 'idle', layout)
      const flags = mode === 'kernel' ? 3n : 2n
      const gs = delivery === 'fred' ? FRED_GS : IDT_GS
      const own: Record<string, bigint> = { fs_base: 0x1000n, gs_base_kernel: 0x2000n, gs_base_user: 0x3000n }
      one.set('flags', flags)
      other.set('flags', flags ^ 1n)
      for (const [name, value] of Object.entries(own)) {
        one.set(name, value)
        other.set(name, value + 0x10_0000n)
      }
      loadSegments(cpu, one)
      const [active, inactive] = mode === 'kernel' ? [0x2000n, 0x3000n] : [0x3000n, 0x2000n]
      expect([gs.active(cpu), gs.inactive(cpu)]).toEqual([active, inactive])
      gs.setActive(cpu, 0x7000n)
      saveSegments(cpu, one)
      loadSegments(cpu, other)
      expect([gs.active(cpu), gs.inactive(cpu)]).toEqual([inactive + 0x10_0000n, active + 0x10_0000n])
      saveSegments(cpu, other)
      loadSegments(cpu, one)
      expect([gs.active(cpu), gs.inactive(cpu)]).toEqual([0x7000n, inactive])
      for (const [name, value] of Object.entries(own)) expect(other.get(name)).toBe(value + 0x10_0000n)
    },
  )
})

describe('P3: the test of the test', () => {
  it('the IDT’s logic under FRED corrupts GS: kernel and user bases change places', () => {
    const bench = pvBench({ delivery: 'fred', checks: { gs: () => IDT_GS } })
    bench.run('mov rbx, [gs:0]\nsyscall')
    const seen = [bench.guest.register('rbx'), readGsQword(bench.guest)]
    expect(seen).not.toEqual([MARKS.gsu, MARKS.gsk])
    const { guest } = bench
    bench.reset()
    expect(setSegmentBase(guest, SEGMENT_BASES.GS_KERNEL, ANCHORS.gsx)).toBe(0n)
    expect(readGsQword(guest)).not.toBe(MARKS.gsx)
  })
})
