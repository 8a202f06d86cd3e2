import { IOPL, IF as RFLAGS_IF, VM } from '@trapframe/core'
import { TRAP_SYSCALL, userRegsOffset } from '../layout/user-regs.js'
import { FRED_FUNCTIONS, functionSource } from './functions.js'
import { IDLE_SOURCE } from './idle-source.js'
import { field, POP_GPRS, PUSH_AND_CLEAR_GPRS } from './registers.js'

/**
 * Entry and exit code under FRED: two entry points, 256 bytes apart, at the start of a page; each calls one function and
 * returns by its own instruction (A4, A16).
 */
export function fredSource(): string {
  return [
    RING3_ENTRY,
    '    align 256',
    RING0_ENTRY,
    PV_EVENTS,
    XEN_EVENTS,
    functionSource(FRED_FUNCTIONS),
    IDLE_SOURCE,
  ].join('\n')
}

/**
 * What SYSCALL leaves in RCX and R11 under the IDT a PV guest expects here too. ERETU takes no IOPL and no VM, and a guest
 * runs with interrupts on.
 */
const RING3_ENTRY = `
entry_FRED_R3:
${PUSH_AND_CLEAR_GPRS}
    mov rdi, rsp
    call entry_from_pv
restore_all_guest:
    and dword ${field('rflags')}, ${~(IOPL | VM)}
    or dword ${field('rflags')}, ${RFLAGS_IF}
    test dword ${field('entry_vector')}, ${TRAP_SYSCALL}
    jz .restore
    mov rax, ${field('rip')}
    mov ${field('rcx')}, rax
    mov rax, ${field('rflags')}
    mov ${field('r11')}, rax
.restore:
${POP_GPRS}
eretu_guest:
    eretu`

const RING0_ENTRY = `
entry_FRED_R0:
${PUSH_AND_CLEAR_GPRS}
    mov rdi, rsp
    call entry_from_xen
restore_all_xen:
${POP_GPRS}
erets_xen:
    erets`

/** Asynchronous and fatal events first; what is left runs with interrupts on. RAX says whether something is left. */
const PV_EVENTS = `
entry_from_pv:
    endbr64
    push rdi
    call pv_async_event
    test eax, eax
    jz .done
    sti
    mov rdi, [rsp]
    call pv_sync_event
    cli
.done:
    pop rdi
    ret`

/** The same for Xen's own events, but interrupts are enabled only if they were. */
const XEN_EVENTS = `
entry_from_xen:
    endbr64
    push rdi
    call xen_async_event
    test eax, eax
    jz .done
    mov rdi, [rsp]
    test byte [rdi + ${userRegsOffset('rflags') + 1}], ${RFLAGS_IF >> 8}
    jz .masked
    sti
.masked:
    call xen_sync_event
    cli
.done:
    pop rdi
    ret`
