import {
  ACCESS_UNUSABLE,
  type Cpu,
  DS,
  ES,
  Fault,
  FS,
  FS_BASE,
  GS,
  GS_BASE,
  KERNEL_GS_BASE,
  loadSegment,
  type SegmentNumber,
} from '@trapframe/core'
import type { DataSelector } from '../layout/user-regs.js'
import { TF_KERNEL_MODE, type Vcpu } from './vcpu.js'

/**
 * The data segments of a PV guest over a context switch. SYSCALL, gates and FRED leave DS, ES, FS and GS alone, so that
 * they hold the guest's values all the time that it runs, and cpu_user_regs never knows them: only here do they come and
 * go (X11).
 */

const SEGMENTS: readonly (readonly [DataSelector, SegmentNumber])[] = [
  ['ds', DS],
  ['es', ES],
  ['fs', FS],
  ['gs', GS],
]

/** A CPU whose mechanism exchanges GS bases on the way in has the guest's active one in IA32_KERNEL_GS_BASE (P2). */
const exchangesGs = (cpu: Cpu): boolean => cpu.mechanism?.name === 'fred'

const inKernelMode = (vcpu: Vcpu): boolean => (vcpu.get('flags') & TF_KERNEL_MODE) !== 0n

/**
 * save_segments: puts the selectors away, and the bases that the guest itself can change: FS and the active GS, which is
 * the kernel's or the user's by guest mode.
 */
export function saveSegments(cpu: Cpu, vcpu: Vcpu): void {
  for (const [name, n] of SEGMENTS) vcpu.setSelector(name, cpu.segment(n).selector)
  vcpu.set('fs_base', cpu.get64(FS_BASE))
  const active = cpu.get64(exchangesGs(cpu) ? KERNEL_GS_BASE : GS_BASE)
  vcpu.set(inKernelMode(vcpu) ? 'gs_base_kernel' : 'gs_base_user', active)
}

/**
 * load_segments: loads the selectors, a bad one as null, and then the bases. Returns the names of the bad ones, for which a
 * guest has its failsafe callback.
 */
export function loadSegments(cpu: Cpu, vcpu: Vcpu): readonly DataSelector[] {
  const bad = SEGMENTS.filter(([name, n]) => !tryLoad(cpu, n, vcpu.selector(name))).map(([name]) => name)
  cpu.set64(FS_BASE, vcpu.get('fs_base'))
  const kernel = vcpu.get('gs_base_kernel')
  const user = vcpu.get('gs_base_user')
  const swapped = inKernelMode(vcpu) === exchangesGs(cpu)
  cpu.set64(GS_BASE, swapped ? user : kernel)
  cpu.set64(KERNEL_GS_BASE, swapped ? kernel : user)
  return bad
}

/** Loads a data segment, or null where its descriptor is none that a guest may use. */
function tryLoad(cpu: Cpu, n: SegmentNumber, selector: number): boolean {
  try {
    loadSegment(cpu, n, selector)
    return true
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown
    cpu.setSegment(n, { selector: 0, base: 0n, limit: 0, access: ACCESS_UNUSABLE })
    return false
  }
}
