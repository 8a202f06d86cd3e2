import { IA32_CSTAR, IA32_LSTAR } from '@trapframe/idt'
import type { CpuInfoLayout } from '../layout/cpu-info.js'
import { idtPage } from '../layout/memory.js'
import { TSS_SELECTOR } from '../layout/selectors.js'
import { fredMsrs } from '../setup/fred-delivery.js'
import { SYSCALL_MSRS, sysenterMsrs } from '../setup/idt-delivery.js'
import { IDT_LIMIT } from '../setup/tables.js'
import { hex, loadOwn, loadTable, writeMsrs, writeRax } from './assembly.js'
import type { Revision } from './decision.js'

/** Addresses in Xen's text that the boot hands to the CPU. */
export interface EntryPoints {
  /** FRED's entry page. */
  readonly fred: bigint
  readonly sysenter: bigint
}

const CR4_FRED_BIT = 32
/** EBX of CPUID leaf 0, of an Intel CPU: "Genu". */
const GENU = 0x756e6547

/** The switch to the delivery that was decided for, on any CPU. */
export const deliverySource = (revision: Revision, entry: EntryPoints, info: CpuInfoLayout): string =>
  [INIT_DELIVERY, INIT_IDT, initFred(revision, entry, info), initSyscall(entry, info)].join('\n')

const INIT_DELIVERY = `
init_delivery:
    cmp byte [rel opt_fred], 1
    je init_fred`

const loadTask = `
    mov eax, ${TSS_SELECTOR}
    ltr ax
    xor eax, eax
    lldt ax`

/** The tables; then TR; and only then gates that take a stack from the TSS. */
const INIT_IDT = `
init_idt:
boot_idt_tables:
    call write_idt_tables
boot_idt_lidt:
${loadOwn((cpu) => idtPage(cpu).linear)}
${loadTable('lidt', IDT_LIMIT)}
boot_idt_ltr:
${loadTask}
boot_idt_ist:
    call enable_ist
    ret`

/** The MSRs, before CR4.FRED lets anything use them; then the IDT's tables, which nobody needs any more (A7). */
const initFred = (revision: Revision, entry: EntryPoints, info: CpuInfoLayout): string => `
init_fred:
boot_fred_msrs:
${writeMsrs('boot_fred_', fredMsrs(revision, entry.fred), info)}
boot_fred_cr4:
    mov rax, cr4
    bts rax, ${CR4_FRED_BIT}
    mov cr4, rax
boot_fred_null_idt:
    xor eax, eax
${loadTable('lidt', 0)}
boot_fred_tss:
    call write_minimal_tss
${loadTask}
    ret`

/** SYSCALL and SYSENTER under the IDT; under FRED they are events like any other. */
const initSyscall = (entry: EntryPoints, info: CpuInfoLayout): string => `
init_syscall:
    cmp byte [rel opt_fred], 1
    je boot_syscall_done
boot_syscall_stubs:
    call write_stubs
boot_syscall_lstar:
    mov rax, [rel stub_lstar]
${writeRax(IA32_LSTAR)}
boot_syscall_cstar:
    mov rax, [rel stub_cstar]
${writeRax(IA32_CSTAR)}
${writeMsrs('boot_syscall_', SYSCALL_MSRS, info)}
    cmp dword [rel cpuid_vendor], ${hex(GENU)}
    jne boot_syscall_done
${writeMsrs('boot_syscall_', sysenterMsrs(entry.sysenter), info)}
boot_syscall_done:
    ret`
