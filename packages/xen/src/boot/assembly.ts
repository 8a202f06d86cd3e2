import type { CpuInfoLayout } from '../layout/cpu-info.js'
import { guestRegsOf } from '../layout/stack.js'
import type { MsrSetting } from '../setup/msr.js'

/**
 * Pieces of the boot's assembly. RBX holds the start of the CPU's stack and R12 the CPU's number throughout, so that one
 * text serves every CPU; RAX, RCX and RDX are free.
 */

export const hex = (value: number | bigint): string => `0x${value.toString(16)}`

const low = (value: bigint): string => hex(value & 0xffff_ffffn)
const high = (value: bigint): string => hex(value >> 32n)

/** WRMSR of RAX. */
export const writeRax = (index: number): string => `
    mov rdx, rax
    shr rdx, 32
    mov ecx, ${hex(index)}
    wrmsr`

/** WRMSR of each setting, at a label that ends in the MSR's name: `boot_fred_rsp0`. */
export const writeMsrs = (prefix: string, settings: readonly MsrSetting[], info: CpuInfoLayout): string =>
  settings.map(({ name, index, value }) => `${prefix}${suffixOf(name)}:${writeMsr(index, value, info)}`).join('')

const suffixOf = (name: string): string => name.replace(/^IA32_(FRED_)?/, '').toLowerCase()

function writeMsr(index: number, value: MsrSetting['value'], info: CpuInfoLayout): string {
  if (typeof value === 'function') {
    return `
    lea rax, [rbx + ${hex(value(0n, info))}]${writeRax(index)}
`
  }
  return `
    mov ecx, ${hex(index)}
    mov eax, ${low(value)}
    mov edx, ${high(value)}
    wrmsr
`
}

/** RAX = address of what every CPU has one of, at equal distances. */
export function loadOwn(addressOf: (cpu: number) => bigint): string {
  const stride = addressOf(1) - addressOf(0)
  return `
    mov eax, r12d
    imul rax, rax, ${stride}
    mov rcx, ${hex(addressOf(0))}
    add rax, rcx`
}

/** LGDT or LIDT of the table at RAX. */
export const loadTable = (instruction: 'lgdt' | 'lidt', limit: number): string => `
    sub rsp, 16
    mov word [rsp + 6], ${hex(limit)}
    mov [rsp + 8], rax
    ${instruction} [rsp + 6]
    add rsp, 16`

/** RSP of code that nothing called, from the start of the stack: below cpu_user_regs, aligned as the ABI wants it. */
export const emptyStack = (info: CpuInfoLayout): bigint => guestRegsOf(0n, info) & ~0xfn
