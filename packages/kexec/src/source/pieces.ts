import { cpuStateOffset, STACK_BYTES } from '@trapframe/xen'
import { OWN_BASE, OWN_SHIFT } from '../memory/layout.js'
import { bitOf, type Precaution } from '../precautions.js'

/** Pieces of the crash code's assembly. */

export const hex = (value: number | bigint): string => `0x${value.toString(16)}`

/** A register = the number of the CPU that owns the stack in RSP. RAX is lost. */
export const loadCpu = (register: string): string => `
    mov rax, rsp
    or rax, ${STACK_BYTES - 1}
    mov ${register}, [rax - ${STACK_BYTES - 1 - cpuStateOffset('processor_id')}]`

/** R12 = what the CPU of EBX has for itself. RAX is lost. */
export const LOAD_OWN = `
    mov r12d, ebx
    shl r12d, ${OWN_SHIFT}
    mov rax, ${hex(OWN_BASE)}
    add r12, rax`

/** Jumps where a precaution is not taken. */
export const unless = (precaution: Precaution, label: string): string => `
    test dword [rel precautions], ${hex(bitOf(precaution))}
    jz ${label}`

/** The IST index of a gate lies in its fifth byte. */
const MC_GATE = 18 * 16

/** Takes the IST stack from #MC on the CPU's own IDT: from now on it is pushed on whatever stack is in use. RAX is lost. */
export const CLEAR_MCE_IST = `
    sub rsp, 16
    sidt [rsp + 6]
    mov rax, [rsp + 8]
    add rsp, 16
    mov byte [rax + ${MC_GATE + 4}], 0`

/** The first quadword of every #MC gate becomes RDX. The tables are found in idt_tables. RAX, RCX and RSI are lost. */
export const PATCH_MCE_GATES = `
    mov rcx, [rel cpu_online_map]
    bsr rcx, rcx
    inc ecx
    lea rsi, [rel idt_tables]
.gate:
    mov rax, [rsi + rcx*8 - 8]
    test rax, rax
    jz .next_gate
    mov [rax + ${MC_GATE}], rdx
.next_gate:
    dec ecx
    jnz .gate`

const X2APIC_SVR = 0x80f
const X2APIC_ICR = 0x830
const SVR_ENABLED = 1 << 8

/** Software disable. An NMI, and the command register, work nevertheless. RAX, RCX and RDX are lost. */
export const DISABLE_APIC = `
    mov ecx, ${hex(X2APIC_SVR)}
    rdmsr
    and eax, ${~SVR_ENABLED}
    wrmsr`

/** NMI, asserted; to everybody else by shorthand, or to the CPU of EBX. */
export const COMMAND_NMI_OTHERS = `
    mov ecx, ${hex(X2APIC_ICR)}
    mov eax, 0xc4400
    xor edx, edx`
export const COMMAND_NMI_SELF = `
    mov ecx, ${hex(X2APIC_ICR)}
    mov eax, 0x4400
    mov edx, ebx`

/** A place for a routine in the middle of code. */
export const routine = (name: string): string => `
${name}:
    nop`
