import type { CpuInfoLayout } from '../layout/cpu-info.js'
import { cpuStateOffset, SCF_VERW } from '../layout/cpu-info.js'
import { gdtBase, stackOf } from '../layout/memory.js'
import { GDT_LIMIT, HYPERVISOR_CS, HYPERVISOR_DS32 } from '../layout/selectors.js'
import { IDT_LIMIT } from '../setup/tables.js'
import { emptyStack, hex, loadOwn, loadTable } from './assembly.js'
import { EARLY_IDT } from './init-data.js'

/**
 * The beginning of the boot on the first CPU. Until LIDT, no event can be handled; after it, everything is delivered
 * through the early IDT, which names no stack and so needs no TSS: TR and LDTR are null (X1).
 */
export const startSource = (info: CpuInfoLayout): string => `
boot_start:
    xor r12d, r12d
    mov rbx, ${hex(stackOf(0).linear)}
boot_gdt:
${enterXen(info)}
boot_early_idt:
    lidt [rel early_idtr]
    xor eax, eax
    lldt ax
boot_cmdline:
    call cmdline_parse
boot_cpuid:
    xor eax, eax
    push rbx
    cpuid
    mov [rel cpuid_vendor], ebx
    mov eax, 1
    cpuid
    mov [rel cpuid_1_ecx], ecx
    mov eax, 7
    xor ecx, ecx
    cpuid
    mov [rel cpuid_7_ebx], ebx
    mov [rel cpuid_7_ecx], ecx
    mov [rel cpuid_7_edx], edx
    mov eax, 7
    mov ecx, 1
    cpuid
    mov [rel cpuid_7_1_eax], eax
    pop rbx
boot_decide:
    call choose_delivery
boot_delivery:
    call init_delivery
boot_report:
    call report_delivery
boot_cet:
    call choose_protection
    call init_cet
    call limit_pv32
boot_features:
    call init_features
boot_syscall:
    call init_syscall
boot_stack:
    jmp init_stack
boot_aps:
    mov ebp, 1
boot_next_ap:
    cmp ebp, [rel nr_cpus]
    jae boot_done
    mov edi, ebp
    call cpu_up
    lea rdx, [rel cpu_online]
boot_wait_ap:
    pause
    cmp byte [rdx + rbp], 1
    jne boot_wait_ap
    inc ebp
    jmp boot_next_ap
boot_done:
    jmp idle_loop`

/** What the first LIDT loads. */
export const START_DATA = `
early_idtr:
    dw ${hex(IDT_LIMIT)}
    dq ${hex(EARLY_IDT)}`

/**
 * The whole boot of another CPU, which finds a stack and a GDT and everything decided. It has no IDT until the delivery is
 * set up: any event before that is the end.
 */
export const apSource = (info: CpuInfoLayout): string => `
ap_start:
    mov r12d, [rel next_cpu]
    mov rbx, [rel next_stack]
ap_gdt:
${enterXen(info)}
ap_delivery:
    call init_delivery
ap_cet:
    call init_cet
ap_features:
    call init_features
ap_syscall:
    call init_syscall
ap_stack:
    jmp init_stack
ap_done:
    lea rdx, [rel cpu_online]
    mov byte [rdx + r12], 1
    jmp idle_loop`

/** Stack, GDT, and Xen's own segments: SS holds a ring 0 selector, so that ERETS finds in it what was saved. */
const enterXen = (info: CpuInfoLayout): string => `
    lea rsp, [rbx + ${hex(emptyStack(info))}]
${loadOwn(gdtBase)}
${loadTable('lgdt', GDT_LIMIT)}
    mov eax, ${HYPERVISOR_DS32}
    mov ss, eax
    xor eax, eax
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    push rax
    popfq
    push ${HYPERVISOR_CS}
    lea rax, [rel .code]
    push rax
    retfq
.code:
    mov [rbx + ${hex(cpuStateOffset('processor_id'))}], r12d
    mov dword [rbx + ${hex(cpuStateOffset('verw_sel'))}], ${HYPERVISOR_DS32}
    mov byte [rbx + ${hex(cpuStateOffset('scf'))}], ${SCF_VERW}`
