import { CR0_MP, CR4_CET, CR4_FSGSBASE, CR4_OSFXSR, CR4_OSXSAVE, CR4_SMAP, CR4_SMEP } from '@trapframe/core'
import { IA32_INTERRUPT_SSP_TABLE_ADDR } from '@trapframe/idt'
import { type CpuInfoLayout, cpuStateOffset } from '../layout/cpu-info.js'
import { tssPage, vcpuPage, vmxonRegion } from '../layout/memory.js'
import { primaryShadowEnd, tokenOf } from '../layout/stack.js'
import { IA32_PL0_SSP, IA32_S_CET, RESTORE_TOKEN_64_BIT, S_CET_IBT, S_CET_SHADOW_STACKS } from '../setup/cet.js'
import { ISST_OFFSET } from '../setup/tables.js'
import { emptyStack, hex, loadOwn, writeRax } from './assembly.js'

/** CET, the other protections, and the stack that a CPU keeps. */
export const stackSource = (info: CpuInfoLayout): string => [INIT_CET, INIT_FEATURES, initStack(info)].join('\n')

/** Branch tracking works at once; shadow stacks have to wait for the last stack. */
const INIT_CET = `
init_cet:
    cmp byte [rel opt_ibt], 1
    jne boot_cr4_cet
boot_ibt:
    mov ecx, ${hex(IA32_S_CET)}
    mov eax, ${S_CET_IBT}
    xor edx, edx
    wrmsr
boot_cr4_cet:
    mov al, [rel opt_ibt]
    or al, [rel opt_shstk]
    jz boot_cet_done
    mov rax, cr4
    or rax, ${hex(CR4_CET)}
    mov cr4, rax
boot_cet_done:
    ret`

const FSGSBASE_BIT = 0
/** Bits of ECX of CPUID leaf 1. */
const VMX_BIT = 5
const XSAVE_BIT = 26
const CR4_OSXMMEXCPT = 1 << 10
const CR4_VMXE = 1 << 13
/** x87 and SSE. */
const XCR0_INITIAL = 3

/**
 * What Xen sets in CR0, CR4's other bits, and CR4 as a whole in cpu_info. x87 and SSE report by #NM, #MF and #XM. With
 * XSAVE XCR0 says that both are there; on Intel's CPUs Xen runs in VMX root operation, so that it could run HVM guests.
 */
const INIT_FEATURES = `
init_features:
    mov rax, cr0
    or eax, ${CR0_MP}
boot_cr0:
    mov cr0, rax
    mov rdx, cr4
    or rdx, ${hex(CR4_OSFXSR | CR4_OSXMMEXCPT)}
    test dword [rel cpuid_1_ecx], ${hex(1 << XSAVE_BIT)}
    jz .vmx
    or rdx, ${hex(CR4_OSXSAVE)}
.vmx:
    test dword [rel cpuid_1_ecx], ${hex(1 << VMX_BIT)}
    jz .fsgsbase
    or rdx, ${hex(CR4_VMXE)}
.fsgsbase:
    test dword [rel cpuid_7_ebx], ${1 << FSGSBASE_BIT}
    jz .smep
    or rdx, ${hex(CR4_FSGSBASE)}
.smep:
    cmp byte [rel opt_smep], 1
    jne .smap
    or rdx, ${hex(CR4_SMEP)}
.smap:
    cmp byte [rel opt_smap], 1
    jne boot_cr4
    or rdx, ${hex(CR4_SMAP)}
boot_cr4:
    mov cr4, rdx
    mov [rbx + ${hex(cpuStateOffset('cr4'))}], rdx
    test edx, ${hex(CR4_OSXSAVE)}
    jz boot_vmxon
    push rdx
    xor ecx, ecx
    xor edx, edx
    mov eax, ${XCR0_INITIAL}
boot_xcr0:
    xsetbv
    pop rdx
boot_vmxon:
    test edx, ${hex(CR4_VMXE)}
    jz boot_features_done
${loadOwn(vmxonRegion)}
    push rax
    vmxon [rsp]
    pop rax
boot_features_done:
    ret`

/** Turns supervisor shadow stacks on. SSP is 0 from here to the first SETSSBSY or RSTORSSP: no call, no return, no event. */
const ENABLE_SHADOW_STACKS = `
    mov ecx, ${hex(IA32_S_CET)}
    rdmsr
    or eax, ${S_CET_SHADOW_STACKS}
    wrmsr`

/**
 * Empties the stack, and gives it its shadow stack. Under the IDT SETSSBSY takes the token that PL0_SSP points to; FRED has
 * neither (A9): a restore token that lasts until RSTORSSP has taken it leaves SSP 8 bytes below the end, and INCSSP goes up
 * to it, as an empty stack's SSP.
 */
const initStack = (info: CpuInfoLayout): string => `
init_stack:
    lea rsp, [rbx + ${hex(emptyStack(info))}]
${loadOwn((cpu) => vcpuPage(cpu, 'idle').linear)}
    mov [rbx + ${hex(cpuStateOffset('current_vcpu'))}], rax
    cmp byte [rel opt_shstk], 1
    jne boot_shadow_done
    cmp byte [rel opt_fred], 1
    je boot_restore_token
boot_tokens:
    call write_tokens
boot_pl0_ssp:
    lea rax, [rbx + ${hex(tokenOf(primaryShadowEnd(0n)))}]
${writeRax(IA32_PL0_SSP)}
boot_isst:
${loadOwn((cpu) => tssPage(cpu).linear + BigInt(ISST_OFFSET))}
${writeRax(IA32_INTERRUPT_SSP_TABLE_ADDR)}
boot_s_cet_idt:
${ENABLE_SHADOW_STACKS}
boot_setssbsy:
    setssbsy
    jmp boot_shadow_done
boot_restore_token:
${ENABLE_SHADOW_STACKS}
    lea rdx, [rbx + ${hex(tokenOf(primaryShadowEnd(0n)))}]
    lea rax, [rdx + ${8 + RESTORE_TOKEN_64_BIT}]
    wrssq [rdx], rax
boot_rstorssp:
    rstorssp [rdx]
    mov eax, 1
    incsspq rax
boot_shadow_done:
    test r12d, r12d
    jz boot_aps
    jmp ap_done`
