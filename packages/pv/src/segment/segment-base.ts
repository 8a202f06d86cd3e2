import { GS, loadSegment, writeMsr } from '@trapframe/core'
import type { PvContext } from '../context.js'
import { EINVAL } from '../hypercall/hypercall.js'
import { exchangeBases } from './guest-mode.js'
import { tryLoadSegment } from './load-segment.js'

/** What set_segment_base is about. */
const SEGBASE_FS = 0n
const SEGBASE_GS_USER = 1n
const SEGBASE_GS_KERNEL = 2n
const SEGBASE_GS_USER_SEL = 3n

const SELECTOR = 0xffffn
const IA32_FS_BASE = 0xc000_0100
const NULL_SELECTOR = ~3n

/**
 * set_segment_base(which, base) by the guest's kernel: FS; the GS base of its user code, which is the inactive one, or its
 * own, which is the active one; or a selector for its user code's GS (P3).
 */
export function setSegmentBase(context: PvContext, which: bigint, base: bigint): number {
  const { cpu, vcpu, checks, gs } = context
  if (which === SEGBASE_GS_USER_SEL) {
    loadUserGs(context, Number(base & SELECTOR))
    return 0
  }
  if (!checks.canonical(cpu, base)) return EINVAL
  switch (which) {
    case SEGBASE_FS:
      writeMsr(cpu, IA32_FS_BASE, base)
      vcpu.set('fs_base', base)
      return 0
    case SEGBASE_GS_USER:
      gs.setInactive(cpu, base)
      vcpu.set('gs_base_user', base)
      return 0
    case SEGBASE_GS_KERNEL:
      gs.setActive(cpu, base)
      vcpu.set('gs_base_kernel', base)
      return 0
    default:
      return EINVAL
  }
}

/**
 * load_gs_index: loads GS with a selector while the base that this brings goes to the guest's user code. A descriptor that
 * cannot be loaded makes it null. MOV to GS loads the base that Xen's own context has in GS_BASE; where that is not the
 * inactive one, the two change places around it.
 */
function loadUserGs(context: PvContext, selector: number): void {
  const { cpu, vcpu, checks, gs } = context
  const wanted = (BigInt(selector) & NULL_SELECTOR) === 0n ? selector : selector | Number(checks.rpl)
  const swapped = gs.loadsActive
  if (swapped) exchangeBases(cpu, gs)
  if (tryLoadSegment(context, GS, wanted) !== null) loadSegment(cpu, GS, 0)
  if (swapped) exchangeBases(cpu, gs)
  vcpu.set('gs_base_user', gs.inactive(cpu))
}
