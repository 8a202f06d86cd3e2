import { PER_CPU } from '../layout/memory.js'
import { PER_CPU_SHIFT, perCpuOffset } from '../layout/per-cpu.js'
import { cpuInfo, GET_STACK_END } from './registers.js'
import { EVENT_CHECK_VECTOR } from './vectors.js'

/** ZF says that no softirq waits. RAX, RCX and R14 are lost. */
const TEST_SOFTIRQS = `
${GET_STACK_END}
    mov eax, ${cpuInfo('processor_id')}
    shl eax, ${PER_CPU_SHIFT}
    mov rcx, ${PER_CPU.linear}
    cmp dword [rcx + rax + ${perCpuOffset('softirq_pending')}], 0`

/**
 * On the way to a guest: softirqs first, again until there are none, with interrupts off from the last look on; then what waits for the guest itself. After an
 * NMI there is no time for them, for NMIs stay blocked until the return: an interrupt from the CPU to itself makes it look
 * again as soon as the guest runs.
 */
export const EXIT_TO_GUEST_SOURCE = `
process_softirqs:
    sti
    mov rdi, rsp
    call do_softirq
test_all_events:
    cli
${TEST_SOFTIRQS}
    jne process_softirqs
    mov rdi, rsp
    call test_guest_events
    test eax, eax
    jnz test_all_events
    jmp restore_all_guest
nmi_exit_to_guest:
    cli
${TEST_SOFTIRQS}
    je restore_all_guest
    mov edi, ${EVENT_CHECK_VECTOR}
    call send_IPI_self
    jmp restore_all_guest`
