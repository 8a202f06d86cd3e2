import { HARDWARE_EXCEPTION, VECTOR_GP, VECTOR_NP, VECTOR_PF, VECTOR_SS } from '@trapframe/core'
import { type FredFrame, SS_NMI } from '@trapframe/fred'
import { vcpuName } from '../diagnostics/show-registers.js'
import type { Call } from '../handlers/context.js'
import { type UserRegs, userRegsAt } from '../handlers/user-regs.js'
import { USER_REGS_BYTES, userRegsOffset } from '../layout/user-regs.js'
import { loadField, storeField } from '../registers/struct-view.js'
import { noteFixup, returnElsewhere } from './exception-table.js'

/**
 * An exception of the ERETU that returns to a guest (P6, F11). Unlike IRET, ERETU that faults has changed nothing, so that
 * the handler runs as any other of Xen's; but the guest's state may be the cause, and then it is the guest's exception.
 */

// What ERETU itself checks of the images, as fred.md has it: a failure of one of these is no guest's doing.
const CS_CHECKED = 0xffff_ffff_ffff_0003n
const RFLAGS_CHECKED = 0xffff_ffff_ffc2_b02an
const SS_CHECKED = 0xfff8_0003n
const RING3 = 3n

/**
 * Handles an exception whose frame `regs` says that ERETU raised it; whether it did. The guest's frame lies where RSP was: of
 * its cpu_user_regs only what is above the general registers, which have been popped and overwritten.
 */
export function handleEretuFault(call: Call, frame: FredFrame): boolean {
  const { cpu, regs, build } = call
  if (regs.get('rip') !== build.label('eretu_guest') || frame.type !== HARDWARE_EXCEPTION) return false
  const guest = userRegsAt(cpu, regs.get('rsp') - BigInt(userRegsOffset('error_code')))
  switch (frame.vector) {
    case VECTOR_GP: {
      const complaint = frame.errorCode === 0 ? badReturnState(guest, frame) : null
      if (complaint === null) break
      call.machine.log(`${vcpuName(cpu)} ${complaint}`, cpu)
      noteFixup(call, regs.get('rip'))
      recover(call, guest, build.label('eretu_error_dom_crash'))
      return true
    }
    case VECTOR_NP:
    case VECTOR_SS:
    case VECTOR_PF:
      break
    default:
      return false
  }
  noteFixup(call, regs.get('rip'))
  recover(call, guest, build.label('entry_FRED_R3'))
  return true
}

/** What Xen itself got wrong about the state that it returned to; null where it is the guest's. */
function badReturnState(guest: UserRegs, frame: FredFrame): string | null {
  const cs = guest.get('cs')
  const ss = guest.get('ss')
  const rflags = guest.get('rflags')
  // A null selector is a guest's to choose.
  if ((cs & 0xfffcn) === 0n || (ss & 0xfffcn) === 0n) return null
  if (frame.stackLevel !== 0) return `ERETU at SL ${frame.stackLevel}`
  if ((cs & CS_CHECKED) === RING3 && (rflags & RFLAGS_CHECKED) === 2n && (ss & SS_CHECKED) === RING3) return null
  const hex = (value: bigint): string => `0x${value.toString(16)}`
  return `Bad return state: csx ${hex(cs)}, rflags ${hex(rflags)}, ssx ${hex(ss & 0xffff_ffffn)}`
}

const SELECTOR = 0xffffn

/**
 * Puts the exception on to the guest's frame, whose selectors stay, and returns to where it is handled as one that the guest
 * raised. An NMI that the guest's frame was about is still blocked, for ERETU would have been its return: this frame takes
 * the bit over, so that ERETS unblocks it.
 */
function recover(call: Call, guest: UserRegs, rip: bigint): void {
  const { cpu, regs, build } = call
  regs.set('ss', regs.get('ss') | (guest.get('ss') & BigInt(SS_NMI)))
  guest.set('ss', (regs.get('ss') & ~SELECTOR) | (guest.get('ss') & SELECTOR))
  guest.set('cs', (regs.get('cs') & ~SELECTOR) | (guest.get('cs') & SELECTOR))
  guest.set('error_code', regs.get('error_code'))
  guest.set('entry_vector', regs.get('entry_vector'))
  // Xen's own code copies the event data the other way: the guest's #PF then shows the address of what brought it to Xen.
  const [from, to] = build.shows.exitFaultKeepsEventData ? [regs, guest] : [guest, regs]
  const edata = (of: UserRegs): bigint => of.address + BigInt(USER_REGS_BYTES)
  storeField(cpu, edata(to), 8, loadField(cpu, edata(from), 8))
  returnElsewhere(call, rip)
}
