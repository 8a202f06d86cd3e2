import { type Cpu, SSP, storeShadow64 } from '@trapframe/core'
import type { Call, XenFunction } from '../handlers/context.js'
import { perCpuAddress } from '../layout/per-cpu.js'
import { HYPERVISOR_CS } from '../layout/selectors.js'
import { halves, storeField } from '../registers/struct-view.js'

/** How far up a shadow stack the frame of an exception is looked for: the calls in between take a quadword each. */
const SHADOW_SEARCH = 16

/**
 * fixup_exception_return: the exception will return to another place. The shadow stack, where there is one, has to agree: the
 * same change there, in the frame that belongs to the exception.
 *
 * @throws RangeError when that frame is not found: Xen's own BUG
 */
export function returnElsewhere({ cpu, regs }: Call, rip: bigint): void {
  const from = regs.get('rip')
  regs.set('rip', rip)
  if (!cpu.supervisorShadowStack) return
  const slot = shadowReturnSlot(cpu, from)
  const [lo, hi] = halves(slot)
  const [ripLo, ripHi] = halves(rip)
  storeShadow64(cpu, lo, hi, ripLo, ripHi, 0)
}

/** Where the shadow stack has the address that an exception interrupted: below Xen's CS. */
function shadowReturnSlot(cpu: Cpu, rip: bigint): bigint {
  const ssp = cpu.get64(SSP)
  for (let n = 0; n < SHADOW_SEARCH; n++) {
    const slot = ssp + BigInt(8 * n)
    const cs = Number(cpu.space.read64(slot + 8n) & 0xffffn)
    if (cpu.space.read64(slot) === rip && cs === HYPERVISOR_CS) return slot
  }
  throw new RangeError(`no shadow-stack frame returns to ${rip.toString(16)}`)
}

/** Notes the address that a fix-up is about, for reports. */
export function noteFixup({ cpu }: Call, address: bigint): void {
  storeField(cpu, perCpuAddress(cpu.id, 'last_extable_addr'), 8, address)
}

/**
 * search_pre_exception_table: the IRET to a guest is the one place of its kind. Its exceptions are handled where those of the
 * guest begin; RAX = that address, or 0 for an exception of Xen's own.
 */
export const searchPreExceptionTable: XenFunction = (call) => {
  const { regs, build } = call
  const at = regs.get('rip')
  if (at !== build.label('iretq_guest')) return { value: 0n }
  const fixup = build.label('handle_exception')
  noteFixup(call, at)
  returnElsewhere(call, fixup)
  return { value: fixup }
}
