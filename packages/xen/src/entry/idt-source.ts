import { IOPL, pushesErrorCode, IF as RFLAGS_IF, VECTOR_DF, VECTOR_NMI, VM } from '@trapframe/core'
import { CPU_INFO, type CpuInfoLayout } from '../layout/cpu-info.js'
import { FLAT_USER_CS32, FLAT_USER_CS64, FLAT_USER_SS } from '../layout/selectors.js'
import { TRAP_SYSCALL, USER_REGS_BYTES } from '../layout/user-regs.js'
import { exceptionHandler, functionSource, IDT_FUNCTIONS } from './functions.js'
import { IDLE_SOURCE } from './idle-source.js'
import { ENTER_XEN_CR3, ENTER_XEN_CR3_FROM_ANYWHERE, LEAVE_TO_GUEST_CR3, LEAVE_TO_XEN_CR3 } from './page-tables.js'
import {
  condVerw,
  ENTRY_VECTOR_ABOVE_ERROR_CODE,
  field,
  GET_STACK_END,
  loadGuestRegs,
  POP_GPRS,
  PUSH_AND_CLEAR_GPRS,
  USER_REGS_QUADS,
} from './registers.js'
import { EXIT_TO_GUEST_SOURCE } from './softirq-source.js'
import { entryLabel, FIRST_INTERRUPT, IST_VECTORS, VECTOR_INT80, VECTOR_INT82, VECTORS } from './vectors.js'

/** What is patched into the code at boot. */
export interface EntryFeatures {
  readonly smap: boolean
  readonly shadowStacks: boolean
  /** Guests run on page tables of their own, without Xen's mappings. Default: they do not. */
  readonly xpti?: boolean
}

/** Code of a feature, or nothing. */
const when = (present: boolean, ...lines: string[]): string =>
  present ? lines.map((line) => `    ${line}`).join('\n') : ''

/** Entry and exit code under the IDT. */
export function idtSource(features: EntryFeatures, layout: CpuInfoLayout = CPU_INFO): string {
  return [
    ...Array.from({ length: VECTORS }, (_, vector) => stub(vector)),
    exceptionEntry(features),
    istEntry(features, layout),
    doubleFaultEntry(features),
    otherEntries(features),
    syscallEntries(features),
    EXIT_TO_GUEST_SOURCE,
    exits(features, layout),
    exceptionTable(),
    functionSource(IDT_FUNCTIONS),
    IDLE_SOURCE,
  ].join('\n')
}

/** Entry point of a vector: an error code of 0 where the hardware pushed none, and the vector above it. */
function stub(vector: number): string {
  return `
${entryLabel(vector)}:
    endbr64
${when(!pushesErrorCode(vector), 'push 0')}
    mov dword ${ENTRY_VECTOR_ABOVE_ERROR_CODE}, ${vector}
    jmp ${pathOf(vector)}`
}

function pathOf(vector: number): string {
  if (vector === VECTOR_DF) return 'handle_double_fault'
  if (IST_VECTORS.includes(vector)) return 'handle_ist_exception'
  if (vector < FIRST_INTERRUPT) return 'handle_exception'
  if (vector === VECTOR_INT80) return 'handle_int80'
  return vector === VECTOR_INT82 ? 'handle_int82' : 'handle_interrupt'
}

/** From anywhere. */
const enter = (features: EntryFeatures): string =>
  [...saveRegs(features), xpti(features, ENTER_XEN_CR3_FROM_ANYWHERE)].join('\n')

/** Only from a guest. */
const enterFromGuest = (features: EntryFeatures): string =>
  [...saveRegs(features), xpti(features, ENTER_XEN_CR3)].join('\n')

const saveRegs = (features: EntryFeatures): string[] => [when(features.smap, 'clac'), '    cld', PUSH_AND_CLEAR_GPRS]

/** Code for page tables, which finds cpu_info through R14; or nothing. */
const xpti = (features: EntryFeatures, source: string): string =>
  features.xpti === true ? `${GET_STACK_END}\n${source}` : ''

const callByVector = `
    lea rdx, [rel exception_table]
    movzx eax, byte ${field('entry_vector')}
    mov rdi, rsp
    call [rdx + rax*8]`

/**
 * Interrupts become what they were where the exception came from. One that Xen met with interrupts off may be the guest's: a
 * fault of the IRET to it, which the table of such places knows. Then the exception is put where a stub would have put it
 * had the guest raised it, on top of the guest's own frame, and is handled once more.
 */
const exceptionEntry = (features: EntryFeatures): string => `
handle_exception:
${enter(features)}
    test byte ${field('rflags', 1)}, ${RFLAGS_IF >> 8}
    jz exception_with_ints_disabled
    sti
dispatch_exception:
${callByVector}
ret_from_intr:
    test byte ${field('cs')}, 3
    jz restore_all_xen
    jmp test_all_events
exception_with_ints_disabled:
    test byte ${field('cs')}, 3
    jnz dispatch_exception
    mov rdi, rsp
    call search_pre_exception_table
    test rax, rax
    jz dispatch_exception
    mov ${field('rip')}, rax
    mov rax, ${field('error_code')}
    mov rcx, ${field('rsp')}
    sub rcx, 8
    mov [rcx], rax
    mov ${field('rsp')}, rcx
    jmp restore_all_xen`

/** From guest context the frame moves to the primary stack, and the shadow stack with it; from Xen context both stay. */
const istEntry = (features: EntryFeatures, layout: CpuInfoLayout): string => `
handle_ist_exception:
${enter(features)}
    test byte ${field('cs')}, 3
    jz .dispatch
    mov rsi, rsp
${loadGuestRegs(layout)}
    mov ecx, ${USER_REGS_QUADS}
    rep movsq
    lea rsp, [rdi - ${USER_REGS_BYTES}]
${when(features.shadowStacks, 'rdsspq rdi', 'clrssbsy [rdi]', 'setssbsy')}
.dispatch:
${callByVector}
    test byte ${field('cs')}, 3
    jz restore_all_xen
    cmp byte ${field('entry_vector')}, ${VECTOR_NMI}
    jne test_all_events
    jmp nmi_exit_to_guest`

/** AC is set, so that the report does not die of SMAP; nothing comes back. */
const doubleFaultEntry = (features: EntryFeatures): string => `
handle_double_fault:
${when(features.smap, 'stac')}
    cld
${PUSH_AND_CLEAR_GPRS}
${xpti(features, ENTER_XEN_CR3)}
    mov rdi, rsp
    call do_double_fault
    ud2`

const otherEntries = (features: EntryFeatures): string => `
handle_interrupt:
${enter(features)}
    mov rdi, rsp
    call do_IRQ
    jmp ret_from_intr
handle_int80:
${enterFromGuest(features)}
    sti
    mov rdi, rsp
    call do_int80
    jmp test_all_events
handle_int82:
${enterFromGuest(features)}
    sti
    mov rdi, rsp
    call do_int82
    jmp test_all_events`

/**
 * SYSCALL and SYSENTER. The trampoline has put RAX into the slot of SS, the guest's RSP below it, and RSP there; the rest
 * of the frame is made up by hand.
 */
const syscallEntries = (features: EntryFeatures): string => `
lstar_enter:
${when(features.shadowStacks, 'setssbsy')}
    mov rax, [rsp + 8]
    mov qword [rsp + 8], ${FLAT_USER_SS}
    push r11
    push ${FLAT_USER_CS64}
${finishSyscall(features, 'do_syscall')}
cstar_enter:
${when(features.shadowStacks, 'setssbsy')}
    mov rax, [rsp + 8]
    mov qword [rsp + 8], ${FLAT_USER_SS}
    push r11
    push ${FLAT_USER_CS32}
${finishSyscall(features, 'do_syscall32')}
sysenter_entry:
    endbr64
${when(features.shadowStacks, 'setssbsy')}
    push ${FLAT_USER_SS}
    push 0
    pushfq
sysenter_eflags_saved:
    or dword [rsp], ${RFLAGS_IF}
    push 2
    popfq
    push 3
    push 0
    push 0
    mov dword ${ENTRY_VECTOR_ABOVE_ERROR_CODE}, ${TRAP_SYSCALL}
${PUSH_AND_CLEAR_GPRS}
${xpti(features, ENTER_XEN_CR3)}
    sti
    mov rdi, rsp
    call do_sysenter
    jmp test_all_events`

const finishSyscall = (features: EntryFeatures, handler: string): string => `
    push rcx
    push 0
    mov dword ${ENTRY_VECTOR_ABOVE_ERROR_CODE}, ${TRAP_SYSCALL}
${PUSH_AND_CLEAR_GPRS}
${xpti(features, ENTER_XEN_CR3)}
    sti
    mov rdi, rsp
    call ${handler}
    jmp test_all_events`

/** Bits of RFLAGS that no guest gets: Xen keeps IOPL to itself, and VM does not exist in long mode. */
const WITHHELD = IOPL | VM

/**
 * To the guest by SYSRET if it came by SYSCALL and RIP is canonical (an RCX that is not would fault in ring 0 on Intel,
 * CVE-2012-0217), else by IRET; to Xen by IRET. RCX and R11 are what SYSRET takes, either way.
 */
const exits = (features: EntryFeatures, layout: CpuInfoLayout): string => `
restore_all_guest:
${xpti(features, LEAVE_TO_GUEST_CR3)}
    test dword ${field('entry_vector')}, ${TRAP_SYSCALL}
    jz iret_exit_to_guest
    mov rcx, ${field('rip')}
    mov ${field('rcx')}, rcx
    mov eax, ${field('rflags')}
    and eax, ${~WITHHELD >>> 0}
    or eax, ${RFLAGS_IF}
    mov ${field('r11')}, rax
    sar rcx, 47
    inc ecx
    cmp ecx, 1
    ja iret_exit_to_guest
${when(features.shadowStacks, 'rdsspq rdi', 'clrssbsy [rdi]')}
${POP_GPRS}
${condVerw(layout)}
    cmp word [rsp + 16], ${FLAT_USER_CS32}
    mov rsp, [rsp + 32]
    je sysretl_guest
sysretq_guest:
    sysretq
sysretl_guest:
    sysretl
iret_exit_to_guest:
    and dword ${field('rflags')}, ${~WITHHELD}
    or dword ${field('rflags')}, ${RFLAGS_IF}
${POP_GPRS}
${condVerw(layout)}
    add rsp, 8
iretq_guest:
    iretq
restore_all_xen:
${xpti(features, LEAVE_TO_XEN_CR3)}
${POP_GPRS}
    add rsp, 8
iretq_xen:
    iretq`

const exceptionTable = (): string => `
    align 8
exception_table:
${Array.from({ length: FIRST_INTERRUPT }, (_, vector) => `    dq ${exceptionHandler(vector)}`).join('\n')}`
