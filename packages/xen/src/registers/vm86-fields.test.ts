import { DS, loadHostState, loadSegment } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { enter, printed, runTo, xenMachine } from '../../test/xen-machine.js'
import { userRegsAt } from '../handlers/user-regs.js'
import { cpuInfoLayout } from '../layout/cpu-info.js'
import { gdtBase, stackOf } from '../layout/memory.js'
import { guestRegsOf } from '../layout/stack.js'
import { USER_REGS_FIELDS } from '../layout/user-regs.js'
import { vcpuOf } from './context-switch.js'
import { constructDom0Vcpu, fpuDataSelector, sanitizeHvmRegs } from './vm86-fields.js'

const LIVE = 0xe0a3
const STALE = 0x1234

/** Before FRED, and since. */
const forms = [
  ['vm86', 'idt'],
  ['together', 'idt'],
  ['together', 'fred'],
] as const

describe.each(forms)('X11: the uses of the vm86 fields, layout %s under %s', (name, delivery) => {
  const layout = cpuInfoLayout(name, delivery)
  const before = name === 'vm86'

  /** In Xen, called by a guest whose DS is LIVE, with STALE above the frame wherever somebody once left it. */
  function inXen() {
    const xen = xenMachine('panther-lake', { delivery, options: { layout: name } })
    xen.machine.space(0n).write64(gdtBase(0) + BigInt(LIVE & ~7), 0x00cf_f300_0000_ffffn)
    enter(xen, 'guest', `mov eax, ${LIVE}\nmov ds, eax\nsyscall\nnop`)
    runTo(xen, xen.label('guest') + 7n)
    const address = guestRegsOf(stackOf(0).linear, layout)
    for (let n = 0n; n < (before ? 4n : 0n); n++) xen.machine.space(0n).write64(address + 168n + 8n * n, BigInt(STALE))
    runTo(xen, xen.label('test_all_events'))
    return { xen, cpu: xen.cpu, regs: userRegsAt(xen.cpu, address) }
  }

  it('put_fpu: took a stale selector from the frame; now there is no field to take it from', () => {
    const { cpu, regs } = inXen()
    expect(fpuDataSelector(cpu, regs, 'ds', layout)).toBe(before ? STALE : LIVE)
    expect(USER_REGS_FIELDS.some(({ name: field }) => field === 'ds')).toBe(false)
  })

  it('what was stale is not mended by another entry: nothing on the way in or out fills the fields', () => {
    const { xen, cpu, regs } = inXen()
    runTo(xen, xen.label('guest') + 9n)
    enter(xen, 'guest', 'int 0x80\nnop')
    loadSegment(cpu, DS, LIVE)
    runTo(xen, xen.label('test_all_events'))
    expect(fpuDataSelector(cpu, regs, 'ds', layout)).toBe(before ? STALE : LIVE)
  })

  it('HVM poisoning: covered the fields too; now it leaves alone what lies above SS', () => {
    const { cpu, regs } = inXen()
    const above = () => cpu.space.read(regs.address + 168n, before ? 32 : 16)
    const old = above()
    loadHostState(cpu, { rip: cpu.rip, rsp: cpu.rsp })
    sanitizeHvmRegs(cpu, regs, layout)
    expect(regs.get('cs')).toBe(0xbeefn)
    expect(above()).toEqual(before ? poisonedSelectors() : old)
  })

  it('dom0 construction: null data segments, in the frame before and in pv_vcpu now; the entry is the same', () => {
    const { cpu } = inXen()
    const vcpu = vcpuOf(cpu, 'guest', layout)
    for (const field of ['es', 'ds', 'fs', 'gs'] as const) vcpu.setSelector(field, STALE)
    constructDom0Vcpu(vcpu, 0x40_0000n, 0x7f00_4000n)
    expect(vcpu.selector('ds')).toBe(0)
    expect(vcpu.get('ds')).toBe(0n)
    expect([vcpu.userRegs.get('rip'), vcpu.userRegs.get('cs'), vcpu.userRegs.get('rflags')]).toEqual([
      0x40_0000n,
      0xe033n,
      0x202n,
    ])
  })

  it('diagnostics: print what the CPU has, whatever lies above the frame', () => {
    const { xen } = inXen()
    enter(xen, 'guest', 'ud2')
    loadSegment(xen.cpu, DS, LIVE)
    const line = printed(runTo(xen, null)).find((text) => text.startsWith('ds:'))
    expect(line).toBe('ds: e0a3   es: 0000   fs: 0000   gs: 0000   ss: e02b   cs: e033')
  })
})

const poisonedSelectors = (): Uint8Array => {
  const bytes = new Uint8Array(32)
  const view = new DataView(bytes.buffer)
  // A selector is 16 bits of its quadword; what was above it stays.
  for (let n = 0; n < 4; n++) view.setUint16(8 * n, 0xbeef, true)
  return bytes
}
