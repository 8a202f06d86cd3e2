import { CR0_AM, CR0_EM, CR0_PE, CR0_PG, CR0_TS, CR0_WP, CR4_PAE } from '@trapframe/core'
import { HYPERVISOR_CS } from '@trapframe/xen'
import { CRASH_KERNEL, CRASH_KERNEL_32, endOf, IDENTITY_CR3, RELOC, RELOC_STACK } from '../memory/layout.js'
import { bitOf } from '../precautions.js'
import { hex, PATCH_MCE_GATES, unless } from './pieces.js'

const IA32_S_CET = 0x6a2
const CR4_VMXE_BIT = 13
const CR4_CET_BIT = 23
/** Access byte of a present interrupt gate of DPL 0, with the IST index 0 below it. */
const INTERRUPT_GATE = 0x8e00n

/** The lower half of a gate to an address of Xen's own code, without IST; its upper half is every other gate's too. */
const gateLow = (address: bigint): bigint =>
  (address & 0xffffn) | (BigInt(HYPERVISOR_CS) << 16n) | (INTERRUPT_GATE << 32n) | ((address & 0xffff_0000n) << 32n)

/** The next kernel gets no register of this one. */
const CLEARED = ['eax', 'ebx', 'ecx', 'edx', 'esi', 'edi', 'ebp', ...Array.from({ length: 8 }, (_, n) => `r${n + 8}d`)]

/**
 * machine_kexec. Under the IDT #MC becomes a bare IRET on every CPU; FRED has one entry point for everything and nothing to
 * patch: there Xen's own handler stays, which clears MCIP. NMIs, which a crash inside of one has left blocked, are unblocked
 * by an IRET to the next instruction: legal under FRED, as it stays in ring 0 (A3). With shadow stacks it would find no
 * frame of its own there, so that CET goes first.
 *
 * @param trapNop address of a bare IRET
 */
export const machineKexecSource = (delivery: string, trapNop: bigint): string => `
machine_kexec:
${
  delivery === 'idt'
    ? `${unless('mceGatesToIret', 'kexec_gates_patched')}
    mov rdx, ${hex(gateLow(trapNop))}
${PATCH_MCE_GATES}`
    : ''
}
kexec_gates_patched:
    mov rax, cr4
    btr rax, ${CR4_VMXE_BIT}
    jnc kexec_cet
    vmxoff
    mov cr4, rax
kexec_cet:
${unless('cetOffFirst', 'kexec_enable_nmis')}
    call kexec_cet_off
kexec_enable_nmis:
    mov rax, rsp
    mov ecx, ss
    push rcx
    push rax
    pushfq
    mov ecx, cs
    push rcx
    lea rcx, [rel kexec_nmis_enabled]
    push rcx
kexec_iret:
    iretq
kexec_nmis_enabled:
    call kexec_cet_off
    mov edi, [rel crash_image]
    mov esi, [rel precautions]
    mov rax, ${hex(RELOC.linear)}
    jmp rax
kexec_cet_off:
    mov rax, cr4
    btr rax, ${CR4_CET_BIT}
    jnc .off
    pop rsi
    mov cr4, rax
    mov ecx, ${hex(IA32_S_CET)}
    xor eax, eax
    xor edx, edx
    wrmsr
    jmp rsi
.off:
    ret`

/** What #MC does in the end. It leaves MCIP set, and a second one shuts the CPU down. */
export const TRAP_NOP_SOURCE = `
trap_nop:
    endbr64
    iretq`

/**
 * kexec_reloc, with the kind of image in EDI and the precautions in ESI. As long as Xen's page tables and stack are in use an
 * event has a stack to go to; from LIDT on nothing has a handler, and any event is the end, quickly: no gate, no #DF gate.
 * Under FRED that begins when CR4 is PAE alone, and while it is not, an event pushes its frame wherever RSP points.
 */
export const relocSource = (): string => `
kexec_reloc:
    lidt [rel kexec_null_idtr]
kexec_pcid:
    mov rax, cr3
    and rax, -4096
    mov cr3, rax
    mov edx, ${hex(CR4_PAE)}
    test esi, ${hex(bitOf('fredOffFirst'))}
    jz kexec_identity_tables
kexec_cr4:
    mov cr4, rdx
kexec_identity_tables:
    mov ebx, ${hex(RELOC.physical)} + kexec_identity - kexec_reloc
    mov eax, ${hex(IDENTITY_CR3)}
kexec_cr3:
    mov cr3, rax
    jmp rbx
kexec_identity:
    mov esp, ${hex(endOf(RELOC_STACK))}
kexec_off_stack:
    mov cr4, rdx
    mov rax, cr0
    and eax, ${hex(~(CR0_AM | CR0_WP | CR0_TS | CR0_EM) >>> 0)}
    or eax, ${hex((CR0_PG | CR0_PE) >>> 0)}
    mov cr0, rax
    push 0
    popfq
    cmp edi, 2
    je kexec_compat
    mov eax, ${hex(CRASH_KERNEL.linear)}
    push rax
${CLEARED.map((register) => `    xor ${register}, ${register}`).join('\n')}
    ret
kexec_compat:
    lgdt [rel kexec_compat_gdtr]
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
    push 8
    mov eax, ${hex(CRASH_KERNEL_32)}
    push rax
kexec_far_jump:
    retfq
kexec_null_idtr:
    dw 0
    dq 0
    align 8
kexec_compat_gdt:
    dq 0
    dq 0x00cf9b000000ffff
    dq 0x00cf93000000ffff
kexec_compat_gdtr:
    dw 23
    dq ${hex(RELOC.physical)} + kexec_compat_gdt - kexec_reloc`
