import {
  FLAT_SITE_AREAS,
  FLAT_SITES,
  flatGuestGsBase,
  flatHostGsBase,
  type MemoryArea,
  pushesErrorCode,
} from '@trapframe/core'

/** Where the flat machine keeps things: besides what every flat host has, the IDT's tables, handlers and the stacks. */

export const PAGE = 0x1000n

/** The GDT with its selectors, and the places for code of either ring: those of every flat host. */
export const {
  GDT,
  HOST_CODE,
  HOST_DATA,
  HOST_CS,
  HOST_SS,
  GUEST_CODE,
  GUEST_DATA,
  GUEST_STACK_TOP,
  GUEST_CS32,
  GUEST_SS,
  GUEST_CS64,
} = FLAT_SITES
export const hostGsBase = flatHostGsBase
export const guestGsBase = flatGuestGsBase

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

/** A second data segment of ring 3, where SYSEXIT to 64-bit code looks for its stack. */
export const SYSEXIT_SS = 0x33
/** Selector of a CPU's TSS. */
export const tssSelector = (cpu: number): number => 0x40 + 16 * cpu

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
  return {
    guest: FLAT_SITE_AREAS.guest,
    host: [
      ...FLAT_SITE_AREAS.host,
      { address: IDT_TABLE, bytes: (1 + TSS_PAGES + 1) * Number(PAGE) },
      { address: HANDLERS, bytes: HANDLER_PAGES * Number(PAGE) },
      { address: STACKS, bytes: cpus * Number(CPU_STRIDE) },
    ],
  }
}
