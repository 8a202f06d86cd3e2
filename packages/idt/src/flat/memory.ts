import { type MemoryArea, pushesErrorCode } from '@trapframe/core'

/** Where the flat machine keeps things. Everything is mapped to itself, below 4 GiB, so that 32-bit code reaches it too. */

export const PAGE = 0x1000n

export const GDT = 0x10_0000n
/** 256 gates of 16 bytes: one page. */
export const IDT_TABLE = 0x10_1000n
/** A TSS for each CPU, 128 bytes apart. */
const TSS = 0x10_2000n
export const TSS_PAGES = 2
export const tssAddress = (cpu: number): bigint => TSS + BigInt(cpu) * 0x80n
/** An interrupt SSP table for each CPU: 8 entries, of which entry 0 is not used. */
const SHADOW_TABLES = 0x10_4000n
export const shadowTable = (cpu: number): bigint => SHADOW_TABLES + BigInt(cpu) * 0x40n

/** The code of the handlers, 128 bytes for each vector, and after them the system call entries, with 256 bytes for each. */
export const HANDLERS = 0x11_0000n
export const HANDLER_PAGES = 9
export const handlerAddress = (vector: number): bigint => HANDLERS + BigInt(vector) * 0x80n
export const SYSCALL_ENTRY = 0x11_8000n
export const SYSCALL_ENTRY_32 = 0x11_8100n
export const SYSENTER_ENTRY = 0x11_8200n

/** Where a scenario's ring 0 code goes, and what it may use as data. */
export const HOST_CODE = 0x12_0000n
export const HOST_DATA = 0x13_0000n
/** Where ring 3 code goes, its data, and the end of its stack. */
export const GUEST_CODE = 0x40_0000n
export const GUEST_DATA = 0x50_0000n
export const GUEST_STACK_TOP = 0x60_0000n
export const SITE_PAGES = 4

/** Stack 0 is the primary one (RSP0), 1 to 4 are those of IST1 to IST4; one page each, with a guard page below. */
export const STACK_COUNT = 5
const STACKS = 0x100_0000n
const CPU_STRIDE = 0x2_0000n
const STACK_STRIDE = 0x2000n
const SHADOW_STACKS = 0x1_0000n

/** Top of a CPU's stack. */
export const stackTop = (cpu: number, n: number): bigint =>
  STACKS + BigInt(cpu) * CPU_STRIDE + BigInt(n + 1) * STACK_STRIDE

/** Where the token of a CPU's shadow stack lies: the highest quadword. */
export const shadowToken = (cpu: number, n: number): bigint => stackTop(cpu, n) + SHADOW_STACKS - 8n

/** GS base in ring 0, once software has done SWAPGS, and in ring 3. */
export const hostGsBase = (cpu: number): bigint => HOST_DATA + BigInt(cpu) * 0x100n
export const guestGsBase = (cpu: number): bigint => GUEST_DATA + BigInt(cpu) * 0x100n

// Selectors, in the order that IA32_STAR and IA32_SYSENTER_CS want.
export const HOST_CS = 0x08
export const HOST_SS = 0x10
/** 32-bit code, data, 64-bit code: IA32_STAR[63:48] is the first. */
export const GUEST_CS32 = 0x1b
export const GUEST_SS = 0x23
export const GUEST_CS64 = 0x2b
/** Selector of a CPU's TSS. */
export const tssSelector = (cpu: number): number => 0x40 + 16 * cpu

/** The GDT up to the TSS descriptors: null, then the five selectors in order, a second ring 3 data segment for SYSEXIT. */
export const GDT_ENTRIES: readonly bigint[] = [
  0n,
  0x00af_9b00_0000_ffffn,
  0x00cf_9300_0000_ffffn,
  0x00cf_fb00_0000_ffffn,
  0x00cf_f300_0000_ffffn,
  0x00af_fb00_0000_ffffn,
  0x00cf_f300_0000_ffffn,
  0n,
]

/** A handler drops the error code, if the vector has one, and returns. */
export const handlerCode = (vector: number): Uint8Array =>
  Uint8Array.from(
    pushesErrorCode(vector)
      ? [0x48, 0x83, 0xc4, 0x08, 0x48, 0xcf] // add rsp, 8; iretq
      : [0x48, 0xcf], // iretq
  )

/** The other entries return at once: sysretq, sysretd, sysexitq. */
export const ENTRY_CODE: readonly (readonly [address: bigint, bytes: readonly number[]])[] = [
  [SYSCALL_ENTRY, [0x48, 0x0f, 0x07]],
  [SYSCALL_ENTRY_32, [0x0f, 0x07]],
  [SYSENTER_ENTRY, [0x48, 0x0f, 0x35]],
]

/** Who owns which memory. */
export function memoryAreas(cpus: number): Readonly<Record<'guest' | 'host', readonly MemoryArea[]>> {
  const pages = (address: bigint, count: number): MemoryArea => ({ address, bytes: count * Number(PAGE) })
  return {
    guest: [
      pages(GUEST_CODE, SITE_PAGES),
      pages(GUEST_DATA, SITE_PAGES),
      pages(GUEST_STACK_TOP - BigInt(SITE_PAGES) * PAGE, SITE_PAGES),
    ],
    host: [
      pages(GDT, 5),
      pages(HANDLERS, HANDLER_PAGES),
      pages(HOST_CODE, SITE_PAGES),
      pages(HOST_DATA, SITE_PAGES),
      { address: STACKS, bytes: cpus * Number(CPU_STRIDE) },
    ],
  }
}
