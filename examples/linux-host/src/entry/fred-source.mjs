import { IA32_FRED_RSP0 } from '@trapframe/fred'
import { perCpu } from '../per-cpu.mjs'
import { POP_REGISTERS, PUSH_REGISTERS } from './registers.mjs'

/**
 * FRED's two entry points, at the start of a page and 256 bytes on, each with its way back. There is nothing to find out:
 * stack, GS and the frame are the same whatever came and whatever it interrupted.
 *
 * On the way to ring 3 IA32_FRED_RSP0 gets the stack of the task that goes there, unless it is known to hold it already.
 */
export const FRED_SOURCE = `
entry_ring3:
${PUSH_REGISTERS}
    mov rdi, rsp
    call fred_from_user
    test eax, eax
    jz fred_return_to_user
    call schedule
fred_return_to_user:
    mov rax, ${perCpu('task_stack_top')}
    cmp rax, ${perCpu('fred_rsp0')}
    je .in_step
    mov ${perCpu('fred_rsp0')}, rax
    mov rdx, rax
    shr rdx, 32
    mov ecx, ${IA32_FRED_RSP0}
    wrmsr
.in_step:
${POP_REGISTERS}
eretu_user:
    eretu

    align 256
entry_ring0:
${PUSH_REGISTERS}
    mov rdi, rsp
    call fred_from_kernel
    test eax, eax
    jz fred_return_to_kernel
    call schedule
fred_return_to_kernel:
${POP_REGISTERS}
erets_kernel:
    erets
`
