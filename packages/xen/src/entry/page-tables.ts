import { cpuInfo } from './registers.js'

/**
 * The change of page tables on the way in and out, where Xen keeps a guest on a copy without its own mappings: pv_cr3 is not
 * 0 then, and xen_cr3 is not 0 while that copy may be in CR3. An NMI can come between any two of these instructions, and
 * goes by the same two fields, so that their order matters. R14 is the end of the stack.
 */

/** From a guest. RCX is lost. */
export const ENTER_XEN_CR3 = `
    mov rcx, ${cpuInfo('xen_cr3')}
    test rcx, rcx
    jz .own_cr3
    mov byte ${cpuInfo('use_pv_cr3')}, 0
    mov cr3, rcx
    mov qword ${cpuInfo('xen_cr3')}, 0
.own_cr3:`

/** From anywhere: R15 and BL keep what {@link LEAVE_TO_XEN_CR3} needs. */
export const ENTER_XEN_CR3_FROM_ANYWHERE = `
    mov bl, ${cpuInfo('use_pv_cr3')}
    mov r15, ${cpuInfo('xen_cr3')}
${ENTER_XEN_CR3}`

/** Back to Xen's code, which may have been about to enter or to leave a guest. RAX is lost. */
export const LEAVE_TO_XEN_CR3 = `
    mov ${cpuInfo('xen_cr3')}, r15
    mov ${cpuInfo('use_pv_cr3')}, bl
    test bl, bl
    jz .kept_cr3
    mov rax, ${cpuInfo('pv_cr3')}
    mov cr3, rax
.kept_cr3:`

/** To a guest: xen_cr3 first, for from then on an NMI finds the way back. RAX and RCX are lost. */
export const LEAVE_TO_GUEST_CR3 = `
    mov rax, ${cpuInfo('pv_cr3')}
    test rax, rax
    jz .one_cr3
    mov rcx, cr3
    mov ${cpuInfo('xen_cr3')}, rcx
    mov byte ${cpuInfo('use_pv_cr3')}, 1
    mov cr3, rax
.one_cr3:`
