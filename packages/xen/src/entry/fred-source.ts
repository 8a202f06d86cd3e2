import { IOPL, NMI, RF, IF as RFLAGS_IF, VM } from '@trapframe/core'
import type { CpuInfoLayout } from '../layout/cpu-info.js'
import { TRAP_SYSCALL, userRegsOffset } from '../layout/user-regs.js'
import { FRED_FUNCTIONS, functionSource } from './functions.js'
import { IDLE_SOURCE } from './idle-source.js'
import { condVerw, field, POP_GPRS, PUSH_AND_CLEAR_GPRS } from './registers.js'
import { EXIT_TO_GUEST_SOURCE } from './softirq-source.js'

/**
 * Entry and exit code under FRED: two entry points, 256 bytes apart, at the start of a page; each calls one function and
 * returns by its own instruction (A4, A16).
 */
export function fredSource(layout: CpuInfoLayout): string {
  return [
    RING3_ENTRY,
    '    align 256',
    RING0_ENTRY,
    '    align 256',
    AFTER_PV_EVENT,
    EXIT_TO_GUEST_SOURCE,
    exitToGuest(layout),
    PV_EVENTS,
    XEN_EVENTS,
    functionSource(FRED_FUNCTIONS),
    IDLE_SOURCE,
  ].join('\n')
}

/** Also where a fault of ERETU is sent, with the guest's frame for its own (P6). */
const RING3_ENTRY = `
entry_FRED_R3:
${PUSH_AND_CLEAR_GPRS}
    mov rdi, rsp
    call entry_from_pv
    jmp after_pv_event`

const RING0_ENTRY = `
entry_FRED_R0:
${PUSH_AND_CLEAR_GPRS}
    mov rdi, rsp
    call entry_from_xen
restore_all_xen:
${POP_GPRS}
erets_xen:
    erets`

/** The event's type, bits 51:48 of the SS quadword: an NMI, whatever its vector, has a way out of its own. */
const AFTER_PV_EVENT = `
after_pv_event:
    mov al, ${field('ss', 6)}
    and al, 15
    cmp al, ${NMI}
    je nmi_exit_to_guest
    jmp test_all_events`

/**
 * What SYSRET leaves in RCX and R11 under the IDT a PV guest expects here too, and that it
 * clears RF where RIP is canonical. ERETU takes no IOPL and no VM. IF is as the
 * event left it: whatever came from the guest, or was made for it, has it set.
 */
const exitToGuest = (layout: CpuInfoLayout): string => `
restore_all_guest:
    and dword ${field('rflags')}, ${~(IOPL | VM)}
    test dword ${field('entry_vector')}, ${TRAP_SYSCALL}
    jz .restore
    mov rax, ${field('rip')}
    mov ${field('rcx')}, rax
    mov rcx, ${field('rflags')}
    mov ${field('r11')}, rcx
    sar rax, 47
    inc eax
    cmp eax, 1
    ja .restore
    and dword ${field('rflags')}, ${~RF}
.restore:
${POP_GPRS}
${condVerw(layout)}
eretu_guest:
    eretu
eretu_error_dom_crash:
${PUSH_AND_CLEAR_GPRS}
    sti
    mov rdi, rsp
    call asm_domain_crash_synchronous`

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
