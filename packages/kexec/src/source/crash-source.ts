import { USER_REGS_BYTES, type UserRegister, userRegsOffset } from '@trapframe/xen'
import { OWN_REGS, OWN_SAVED } from '../memory/layout.js'
import { CLEAR_MCE_IST, COMMAND_NMI_OTHERS, DISABLE_APIC, LOAD_OWN, loadCpu, routine, unless } from './pieces.js'

const GENERAL = [
  'r15',
  'r14',
  'r13',
  'r12',
  'rbx',
  'r11',
  'r10',
  'r9',
  'r8',
  'rax',
  'rcx',
  'rdx',
  'rsi',
  'rdi',
] as const

const store = (register: string, name: UserRegister): string => `    mov [rsp + ${userRegsOffset(name)}], ${register}`

/** A cpu_user_regs of the caller, at RSP, from RBP = frame pointer. */
const SAVE_REGISTERS = [
  ...GENERAL.map((register) => store(register, register)),
  '    mov rax, [rbp]',
  store('rax', 'rbp'),
  '    mov rax, [rbp + 8]',
  store('rax', 'rip'),
  '    mov rax, [rbp - 8]',
  store('rax', 'rflags'),
  '    lea rax, [rbp + 16]',
  store('rax', 'rsp'),
  '    mov eax, cs',
  store('rax', 'cs'),
  '    mov eax, ss',
  store('rax', 'ss'),
].join('\n')

/**
 * kexec_crash on the CPU that crashes: nothing happens where no crash image is loaded; else it does not return. Of several
 * CPUs that crash one wins, and the others wait to be shot down. Each access to what CPUs share is an instruction or a
 * routine of its own.
 */
export const crashSource = (delivery: string): string => `
kexec_crash:
    endbr64
    cmp dword [rel crash_image], 0
    jne .loaded
    ret
.loaded:
    push rbp
    mov rbp, rsp
    pushfq
    cli
    sub rsp, ${USER_REGS_BYTES}
${SAVE_REGISTERS}
${loadCpu('ebx')}
${LOAD_OWN}
    mov rax, -1
kexec_claim:
    lock cmpxchg [rel crashing_cpu], rbx
    jne kexec_lost
    mov rdi, rsp
    mov [r12 + ${OWN_REGS}], rdi
${routine('kexec_save_own')}
    mov byte [r12 + ${OWN_SAVED}], 1
    mov rax, [rel cpu_online_map]
    btr rax, rbx
kexec_set_waiting:
    mov [rel waiting_to_crash], rax
${delivery === 'idt' ? `${unless('crashingClearsMceIst', '.callback')}\n${CLEAR_MCE_IST}` : ''}
.callback:
    lea rax, [rel kexec_nmi]
kexec_set_callback:
    mov [rel nmi_callback], rax
${COMMAND_NMI_OTHERS}
kexec_send_nmi:
    wrmsr
${routine('kexec_start_wait')}
kexec_wait:
    cmp qword [rel waiting_to_crash], 0
    je kexec_waited
${routine('kexec_time_left')}
    test eax, eax
    jz kexec_waited
    pause
    jmp kexec_wait
${routine('kexec_waited')}
${unless('forceConsoleUnlock', 'kexec_console')}
kexec_force_unlock:
    mov dword [rel console_lock], -1
kexec_console:
    mov eax, -1
kexec_lock_console:
    lock cmpxchg [rel console_lock], ebx
    je kexec_report
kexec_console_taken:
    pause
    jmp kexec_console
${routine('kexec_report')}
kexec_unlock_console:
    mov dword [rel console_lock], -1
${DISABLE_APIC}
    jmp machine_kexec
kexec_lost:
    pause
    jmp kexec_lost`
