import { IOPL, pushesErrorCode, IF as RFLAGS_IF, VECTOR_DF, VECTOR_NMI, VM } from '@trapframe/core'
import { CPU_INFO, STACK_BYTES } from '../layout/cpu-info.js'
import { FLAT_USER_CS32, FLAT_USER_CS64, FLAT_USER_SS } from '../layout/selectors.js'
import { TRAP_SYSCALL, USER_REGS_BYTES } from '../layout/user-regs.js'
import { exceptionHandler, functionSource, IDT_FUNCTIONS } from './functions.js'
import { IDLE_SOURCE } from './idle-source.js'
import {
  ENTRY_VECTOR_ABOVE_ERROR_CODE,
  field,
  loadGuestRegs,
  POP_GPRS,
  PUSH_AND_CLEAR_GPRS,
  USER_REGS_QUADS,
} from './registers.js'
import { entryLabel, FIRST_INTERRUPT, IST_VECTORS, VECTOR_INT80, VECTOR_INT82, VECTORS } from './vectors.js'

/** What is patched into the code at boot. */
export interface EntryFeatures {
  readonly smap: boolean
  readonly shadowStacks: boolean
}

/** Code of a feature, or nothing. */
const when = (present: boolean, ...lines: string[]): string =>
  present ? lines.map((line) => `    ${line}`).join('\n') : ''

/** Entry and exit code under the IDT. */
export function idtSource(features: EntryFeatures): string {
  return [
    ...Array.from({ length: VECTORS }, (_, vector) => stub(vector)),
    exceptionEntry(features),
    istEntry(features),
    doubleFaultEntry(features),
    otherEntries(features),
    syscallEntries(features),
    exits(features),
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

const enter = (features: EntryFeatures): string =>
  [when(features.smap, 'clac'), '    cld', PUSH_AND_CLEAR_GPRS].join('\n')

/** Interrupts stay as they were where the event came from. */
const enableInterruptsIfFrameHad = `
    test byte ${field('rflags').replace(']', ' + 1]')}, ${RFLAGS_IF >> 8}
    jz .masked
    sti
.masked:`

const callByVector = `
    lea rdx, [rel exception_table]
    movzx eax, byte ${field('entry_vector')}
    mov rdi, rsp
    call [rdx + rax*8]`

const exceptionEntry = (features: EntryFeatures): string => `
handle_exception:
${enter(features)}
${enableInterruptsIfFrameHad}
${callByVector}
ret_from_intr:
    test byte ${field('cs')}, 3
    jz restore_all_xen
    jmp test_all_events`

/** From guest context the frame moves to the primary stack, and the shadow stack with it; from Xen context both stay. */
const istEntry = (features: EntryFeatures): string => `
handle_ist_exception:
${enter(features)}
    test byte ${field('cs')}, 3
    jz .dispatch
    mov rsi, rsp
${loadGuestRegs(STACK_BYTES, CPU_INFO.guestRegs)}
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
    cli
    jmp restore_all_guest`

/** AC is set, so that the report does not die of SMAP; nothing comes back. */
const doubleFaultEntry = (features: EntryFeatures): string => `
handle_double_fault:
${when(features.smap, 'stac')}
    cld
${PUSH_AND_CLEAR_GPRS}
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
${enter(features)}
    sti
    mov rdi, rsp
    call do_int80
    jmp test_all_events
handle_int82:
${enter(features)}
    sti
    mov rdi, rsp
    call do_int82
    jmp test_all_events`

/**
 * SYSCALL and SYSENTER. The trampoline has put RAX into the slot of SS, the guest's RSP below it, and RSP there; the rest
 * of the frame is made up by hand.
 */
const syscallEntries = ({ shadowStacks }: EntryFeatures): string => `
lstar_enter:
${when(shadowStacks, 'setssbsy')}
    mov rax, [rsp + 8]
    mov qword [rsp + 8], ${FLAT_USER_SS}
    push r11
    push ${FLAT_USER_CS64}
${finishSyscall('do_syscall')}
cstar_enter:
${when(shadowStacks, 'setssbsy')}
    mov rax, [rsp + 8]
    mov qword [rsp + 8], ${FLAT_USER_SS}
    push r11
    push ${FLAT_USER_CS32}
${finishSyscall('do_syscall32')}
sysenter_entry:
    endbr64
${when(shadowStacks, 'setssbsy')}
    push ${FLAT_USER_SS}
    push 0
    pushfq
    or dword [rsp], ${RFLAGS_IF}
    push 2
    popfq
    push 3
    push 0
    push 0
    mov dword ${ENTRY_VECTOR_ABOVE_ERROR_CODE}, ${TRAP_SYSCALL}
${PUSH_AND_CLEAR_GPRS}
    sti
    mov rdi, rsp
    call do_sysenter
    jmp test_all_events`

const finishSyscall = (handler: string): string => `
    push rcx
    push 0
    mov dword ${ENTRY_VECTOR_ABOVE_ERROR_CODE}, ${TRAP_SYSCALL}
${PUSH_AND_CLEAR_GPRS}
    sti
    mov rdi, rsp
    call ${handler}
    jmp test_all_events`

/** Bits of RFLAGS that no guest gets: Xen keeps IOPL to itself, and VM does not exist in long mode. */
const WITHHELD = IOPL | VM

/**
 * To the guest by SYSRET if it came by SYSCALL and RIP is canonical (an RCX that is not would fault in ring 0 on Intel,
 * CVE-2012-0217), else by IRET; to Xen by IRET.
 */
const exits = ({ shadowStacks }: EntryFeatures): string => `
test_all_events:
    cli
restore_all_guest:
    test dword ${field('entry_vector')}, ${TRAP_SYSCALL}
    jz iret_exit_to_guest
    mov rcx, ${field('rip')}
    sar rcx, 47
    inc ecx
    cmp ecx, 1
    ja iret_exit_to_guest
${when(shadowStacks, 'rdsspq rdi', 'clrssbsy [rdi]')}
${POP_GPRS}
    mov rcx, [rsp + 8]
    mov r11, [rsp + 24]
    and r11d, ${~WITHHELD >>> 0}
    or r11d, ${RFLAGS_IF}
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
    add rsp, 8
iretq_guest:
    iretq
restore_all_xen:
${POP_GPRS}
    add rsp, 8
iretq_xen:
    iretq`

const exceptionTable = (): string => `
    align 8
exception_table:
${Array.from({ length: FIRST_INTERRUPT }, (_, vector) => `    dq ${exceptionHandler(vector)}`).join('\n')}`
