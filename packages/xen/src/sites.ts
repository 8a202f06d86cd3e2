import {
  ACCESS_UNUSABLE,
  type Cpu,
  CR3,
  CS,
  codeAccess64,
  DS,
  dataAccess,
  ES,
  FS,
  GPR,
  GS,
  HALTED,
  type ProgramSite,
  RIP,
  type SegmentNumber,
  SS,
  STATUS,
} from '@trapframe/core'
import { IA32_FRED_CONFIG } from '@trapframe/fred'
import { enterTables, isolateGuests } from './entry/isolation.js'
import { idleRsp, primarySsp } from './exit/stacks.js'
import { loadVcpu } from './handlers/guest.js'
import type { CpuInfoLayout } from './layout/cpu-info.js'
import { endOf, GUEST_CODE, guestStackOf, HOST_CODE, stackOf } from './layout/memory.js'
import { FLAT_USER_CS64, FLAT_USER_SS, HYPERVISOR_CS, HYPERVISOR_DS32 } from './layout/selectors.js'
import { PAGE_BYTES, primaryShadowEnd, tokenOf } from './layout/stack.js'
import { setCurrent, vcpuOf } from './registers/context-switch.js'
import { TF_KERNEL_MODE, VCPU_RUNNABLE } from './registers/vcpu.js'
import { writeToken } from './setup/cet.js'

const FLAT_LIMIT = 0xffff_ffff
/** IF, and the bit that is always 1: what Xen gives a new vCPU, and runs with itself. */
const INITIAL_RFLAGS = 0x202n

/** Where programs may go. */
export function xenSites(layout: CpuInfoLayout, xpti: boolean): Readonly<Record<'guest' | 'host', ProgramSite>> {
  return { guest: guestSite(layout, xpti), host: hostSite(layout, xpti) }
}

/** Ring 3 of a 64-bit PV guest, kernel or user: to the CPU they are the same. The vCPU is in kernel mode, as a new one is. */
const guestSite = (layout: CpuInfoLayout, xpti: boolean): ProgramSite => ({
  origin: GUEST_CODE.linear,
  capacity: GUEST_CODE.pages * PAGE_BYTES,
  cpl: 3,
  enter(cpu) {
    leaveWhateverRan(cpu)
    loadSegments(cpu, 3, FLAT_USER_CS64, FLAT_USER_SS)
    cpu.rip = GUEST_CODE.linear
    cpu.rsp = endOf(guestStackOf(cpu.id))
    setShadowStack(cpu, false)
    vcpuOf(cpu, 'guest', layout).set('flags', TF_KERNEL_MODE | VCPU_RUNNABLE)
    setCurrent(cpu, 'guest')
    loadVcpu(cpu, layout)
    if (!xpti) return
    isolateGuests(cpu.machine)
    enterTables(cpu, 'guest')
  },
})

/** Xen's own code, on the primary stack, outside of any event: what its idle loop or an initcall would be. */
const hostSite = (layout: CpuInfoLayout, xpti: boolean): ProgramSite => ({
  origin: HOST_CODE.linear,
  capacity: HOST_CODE.pages * PAGE_BYTES,
  cpl: 0,
  enter(cpu) {
    leaveWhateverRan(cpu)
    loadSegments(cpu, 0, HYPERVISOR_CS, HYPERVISOR_DS32)
    cpu.rip = HOST_CODE.linear
    cpu.rsp = idleRsp(stackOf(cpu.id).linear, layout)
    setShadowStack(cpu, true)
    setCurrent(cpu, 'idle')
    if (xpti) enterTables(cpu, 'xen')
  },
})

/** General registers are 0, as a new vCPU has them. */
function leaveWhateverRan(cpu: Cpu): void {
  cpu.words.fill(0, GPR, RIP)
  cpu.words[STATUS] = cpu.words[STATUS]! & ~HALTED
  cpu.setControl(CR3, 0n)
  const config = cpu.machine.msrs.get(IA32_FRED_CONFIG)!
  cpu.words[config.slot] = cpu.words[config.slot]! & ~3
}

function loadSegments(cpu: Cpu, cpl: number, cs: number, ss: number): void {
  const flat = { base: 0n, limit: FLAT_LIMIT }
  cpu.setSegment(CS, { ...flat, selector: cs, access: codeAccess64(cpl) })
  cpu.setSegment(SS, { ...flat, selector: ss, access: dataAccess(cpl) })
  const unused: readonly SegmentNumber[] = [DS, ES, FS, GS]
  for (const n of unused) cpu.setSegment(n, { selector: 0, base: 0n, limit: 0, access: ACCESS_UNUSABLE })
  cpu.setCpl(cpl)
  cpu.rflags = INITIAL_RFLAGS
}

/** Under the IDT the primary shadow stack's token is busy exactly while Xen runs on it; FRED has no tokens. */
function setShadowStack(cpu: Cpu, inXen: boolean): void {
  if (!cpu.supervisorShadowStack) return
  if (cpu.mechanism?.transferPolicy.shadowStackTokens === true) {
    writeToken(cpu, tokenOf(primaryShadowEnd(stackOf(cpu.id).linear)), inXen)
  }
  cpu.ssp = inXen ? primarySsp(cpu) : 0n
}
