import { OWN_REGS, OWN_SAVED } from '../memory/layout.js'
import { CLEAR_MCE_IST, COMMAND_NMI_SELF, DISABLE_APIC, LOAD_OWN, loadCpu, routine, unless } from './pieces.js'

/**
 * What do_nmi calls from then on, with cpu_user_regs in RDI and its own return address on the stack. On the crashing CPU it
 * returns at once; everywhere else it does not return.
 *
 * It may be entered again while it runs: #MC returns by IRET under the IDT, which unblocks NMIs. The registers that go into
 * the note are therefore those of whoever enters first, and every step can be done twice.
 */
export const handlerSource = (delivery: string): string => `
kexec_nmi:
${loadCpu('ecx')}
${unless('crashingCpuIgnoresNmi', '.shoot')}
    cmp rcx, [rel crashing_cpu]
    je .ignore
.shoot:
    mov ebx, ecx
${LOAD_OWN}
${unless('onceOnly', '.again')}
    xor eax, eax
    lock cmpxchg [r12 + ${OWN_REGS}], rdi
    je kexec_stop
${unless('finishes', 'kexec_stay')}
    jmp kexec_stop
.ignore:
    xor eax, eax
    ret
.again:
    mov [r12 + ${OWN_REGS}], rdi
    mov byte [r12 + ${OWN_SAVED}], 0
kexec_stop:
${delivery === 'idt' ? `${unless('othersClearMceIst', '.save')}\n${CLEAR_MCE_IST}` : ''}
.save:
    mov rdi, [r12 + ${OWN_REGS}]
    cmp byte [r12 + ${OWN_SAVED}], 0
    jne .saved
${routine('kexec_save')}
    mov byte [r12 + ${OWN_SAVED}], 1
.saved:
${DISABLE_APIC}
${routine('kexec_acknowledge')}
kexec_stay:
${unless('selfNmi', 'kexec_halt')}
${COMMAND_NMI_SELF}
kexec_self_nmi:
    wrmsr
kexec_halt:
    hlt
    jmp kexec_halt
kexec_nmi_end:`
