import {
  ACCESS_UNUSABLE,
  type Cpu,
  DS,
  ES,
  Fault,
  FS,
  FS_BASE,
  GS,
  loadSegment,
  type SegmentNumber,
} from '@trapframe/core'
import { deliveryOf } from '../delivery.js'
import type { DataSelector } from '../layout/user-regs.js'
import { guestGs } from './guest-gs.js'
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

const inKernelMode = (vcpu: Vcpu): boolean => (vcpu.get('flags') & TF_KERNEL_MODE) !== 0n

/** Where the active GS base is kept, and the other one, by guest mode. */
const KERNEL_ACTIVE = ['gs_base_kernel', 'gs_base_user'] as const
const USER_ACTIVE = ['gs_base_user', 'gs_base_kernel'] as const

/**
 * save_segments: puts the selectors away, and the bases that the guest itself can change: FS and the active GS, which is
 * the kernel's or the user's by guest mode.
 */
export function saveSegments(cpu: Cpu, vcpu: Vcpu): void {
  for (const [name, n] of SEGMENTS) vcpu.setSelector(name, cpu.segment(n).selector)
  vcpu.set('fs_base', cpu.get64(FS_BASE))
  vcpu.set((inKernelMode(vcpu) ? KERNEL_ACTIVE : USER_ACTIVE)[0], guestGs(deliveryOf(cpu)).active(cpu))
}

/**
 * load_segments: loads the selectors, a bad one as null, and then the bases. Returns the names of the bad ones, for which a
 * guest has its failsafe callback.
 */
export function loadSegments(cpu: Cpu, vcpu: Vcpu): readonly DataSelector[] {
  const bad = SEGMENTS.filter(([name, n]) => !tryLoad(cpu, n, vcpu.selector(name))).map(([name]) => name)
  cpu.set64(FS_BASE, vcpu.get('fs_base'))
  const gs = guestGs(deliveryOf(cpu))
  const [active, inactive] = inKernelMode(vcpu) ? KERNEL_ACTIVE : USER_ACTIVE
  gs.setActive(cpu, vcpu.get(active))
  gs.setInactive(cpu, vcpu.get(inactive))
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
