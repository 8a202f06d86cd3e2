import { pushesErrorCode, RF, TF, VECTOR_DB, VECTOR_DF, VECTOR_MC, VECTOR_NMI, vectorName } from '@trapframe/core'
import { VECTOR_INT80 } from '../kernel/system-calls.mjs'
import { perCpu } from '../per-cpu.mjs'
import { FRED_INFO_BYTES, offsetOf, PT_REGS_BYTES } from '../pt-regs.mjs'
import { USER_CS, USER_DS } from '../selectors.mjs'
import { field, POP_REGISTERS, PUSH_REGISTERS, PUSH_REGISTERS_BUT_RDI } from './registers.mjs'

export const VECTORS = 256
const IA32_GS_BASE = 0xc000_0101

/** The label of a vector's entry point: `idt_entry_pf`, `idt_entry_0x21`. @param {number} vector */
export function idtEntryLabel(vector) {
  const name = /^#?([A-Z]+)$/.exec(vector < 32 ? vectorName(vector) : '')?.[1]
  return `idt_entry_${name === undefined ? `0x${vector.toString(16).padStart(2, '0')}` : name.toLowerCase()}`
}

/**
 * What each gate leads to. An error code of 0 where the CPU pushed none, and the vector below it: nothing else tells what
 * came.
 *
 * @param {number} vector
 */
const stub = (vector) => `
${idtEntryLabel(vector)}:
${pushesErrorCode(vector) ? '' : '    push 0'}
    push ${vector}
    jmp ${pathOf(vector)}`

/** @param {number} vector */
function pathOf(vector) {
  if (vector === VECTOR_DF) return 'idt_double_fault'
  if (vector === VECTOR_NMI || vector === VECTOR_DB || vector === VECTOR_MC) return 'idt_on_own_stack'
  return vector === VECTOR_INT80 ? 'idt_int80' : 'idt_common'
}

/** Offset of the saved CS when only the vector and the error code are pushed. */
const CS_ABOVE_VECTOR = offsetOf('cs') - offsetOf('rdi')

/** The rest of pt_regs: RDI takes the place of the vector, which it gets. */
const SAVE = `    xchg rdi, [rsp]
${PUSH_REGISTERS_BUT_RDI}`

const DISPATCH = `    mov esi, edi
    mov rdi, rsp
    call idt_dispatch`

const OFF_TO_USER = `    test eax, eax
    jz idt_return_to_user
    call schedule
    jmp idt_return_to_user`

/**
 * @param {string} clac CLAC on a CPU with SMAP: RFLAGS.AC is the user's until then
 */
const entries = (clac) => `
idt_common:
${clac}
    cld
    test byte [rsp + ${CS_ABOVE_VECTOR}], 3
    jz .from_kernel
    swapgs
${SAVE}
${DISPATCH}
${OFF_TO_USER}
.from_kernel:
${SAVE}
    lea rcx, [rel iretq_user]
    cmp ${field('rip')}, rcx
    je .bad_iret
${DISPATCH}
    test eax, eax
    jz idt_return_to_kernel
    call schedule
    jmp idt_return_to_kernel
.bad_iret:
    swapgs
    mov ebx, edi
    mov rdi, rsp
    call fixup_bad_iret
    mov rsp, rax
    mov edi, ebx
${DISPATCH}
${OFF_TO_USER}

idt_int80:
    test byte [rsp + ${CS_ABOVE_VECTOR}], 3
    jz idt_common
${clac}
    cld
    swapgs
${SAVE}
    mov rdi, rsp
    call int80_system_call
${OFF_TO_USER}`

/**
 * Events with a stack of their own. From ring 3 the registers move to the task's stack. From ring 0 the saved CS does not
 * tell whose GS it is: the event may have come before SWAPGS, or after it on the way out. The base itself does: the
 * kernel's is negative.
 *
 * @param {string} clac
 */
const ownStackEntries = (clac) => `
idt_on_own_stack:
${clac}
    cld
    test byte [rsp + ${CS_ABOVE_VECTOR}], 3
    jz idt_paranoid
    swapgs
${SAVE}
    mov edx, edi
    mov rsi, rsp
    mov rdi, ${perCpu('task_stack_top')}
    sub rdi, ${PT_REGS_BYTES + FRED_INFO_BYTES}
    mov rax, rdi
    mov ecx, ${PT_REGS_BYTES / 8}
    rep movsq
    mov rsp, rax
    mov edi, edx
${DISPATCH}
    jmp idt_return_to_user

idt_double_fault:
${clac}
    cld
idt_paranoid:
${SAVE}
    xor ebx, ebx
    mov ecx, ${IA32_GS_BASE}
    rdmsr
    test edx, edx
    js .dispatch
    swapgs
    inc ebx
.dispatch:
${DISPATCH}
    test ebx, ebx
    jz idt_return_to_kernel
    swapgs
    jmp idt_return_to_kernel`

/**
 * SYSCALL. It pushes nothing and loads neither a stack nor GS, so the frame is made by hand. SYSRET goes back only where it
 * restores what IRET would: RIP in RCX, RFLAGS in R11, the segments of IA32_STAR, a canonical RIP (Intel's faults in ring
 * 0 otherwise), neither TF nor RF.
 */
const SYSCALL = `
idt_syscall:
    swapgs
    mov ${perCpu('user_rsp')}, rsp
    mov rsp, ${perCpu('task_stack_top')}
    sub rsp, ${FRED_INFO_BYTES}
    push ${USER_DS}
    push qword ${perCpu('user_rsp')}
    push r11
    push ${USER_CS}
    push rcx
    push 0
${PUSH_REGISTERS}
    mov rdi, rsp
    call system_call
    test eax, eax
    jz .finish
    call schedule
.finish:
    mov rcx, ${field('rip')}
    cmp rcx, ${field('rcx')}
    jne idt_return_to_user
    mov rax, rcx
    shl rax, 16
    sar rax, 16
    cmp rax, rcx
    jne idt_return_to_user
    mov r11, ${field('rflags')}
    cmp r11, ${field('r11')}
    jne idt_return_to_user
    test r11d, ${RF | TF}
    jnz idt_return_to_user
    cmp qword ${field('cs')}, ${USER_CS}
    jne idt_return_to_user
    cmp qword ${field('ss')}, ${USER_DS}
    jne idt_return_to_user
${POP_REGISTERS}
    mov rsp, [rsp + ${offsetOf('rsp') - offsetOf('orig_ax')}]
    swapgs
sysret_user:
    sysretq`

const EXITS = `
idt_return_to_user:
${POP_REGISTERS}
    add rsp, 8
    swapgs
iretq_user:
    iretq
idt_return_to_kernel:
${POP_REGISTERS}
    add rsp, 8
iretq_kernel:
    iretq`

/**
 * Entry and exit code under the IDT: each way in has to find out what FRED is told.
 *
 * @param {boolean} smap
 */
export function idtSource(smap) {
  const clac = smap ? '    clac' : ''
  return [
    ...Array.from({ length: VECTORS }, (_, vector) => stub(vector)),
    entries(clac),
    ownStackEntries(clac),
    SYSCALL,
    EXITS,
  ].join('\n')
}
