/** Where the crash code and what it shares between CPUs lie: linear addresses as Xen has them, on low physical memory. */

export interface Mapping {
  readonly linear: bigint
  readonly physical: bigint
  readonly pages: number
}

export const PAGE_BYTES = 4096

/** kexec_crash, the crash handler of NMIs, machine_kexec. */
export const TEXT: Mapping = { linear: 0xffff_82d0_40d0_0000n, physical: 0x0300_0000n, pages: 1 }
/** What CPUs share, and a page with what each has for itself. */
export const DATA: Mapping = { linear: 0xffff_82d0_40d1_0000n, physical: 0x0301_0000n, pages: 2 }
/** kexec_reloc: Xen has it here, and the page tables of the way out have it at its physical address too. */
export const RELOC: Mapping = { linear: 0xffff_82d0_40d3_0000n, physical: 0x0310_0000n, pages: 1 }

/** Memory that only the page tables of the way out map, each to itself. */
const identity = (physical: bigint, pages: number): Mapping => ({ linear: physical, physical, pages })
export const RELOC_STACK = identity(0x0311_0000n, 1)
/** What stands in for the crash kernel: entry of a 64-bit image, entry of a 32-bit one in the page behind it. */
export const CRASH_KERNEL = identity(0x0400_0000n, 2)
export const CRASH_KERNEL_32 = CRASH_KERNEL.linear + BigInt(PAGE_BYTES)
/** CR3 of these page tables. */
export const IDENTITY_CR3 = 0x0312_0000n

/** Bytes of memory for the notes of each CPU, as the next kernel is told. */
export const NOTE_ROOM = 512
export const notes = (cpus: number): Mapping => ({
  linear: 0xffff_82d0_40d2_0000n,
  physical: 0x0302_0000n,
  pages: Math.ceil((cpus * NOTE_ROOM) / PAGE_BYTES),
})
export const noteOf = (cpu: number): bigint => notes(1).linear + BigInt(cpu * NOTE_ROOM)

/** First byte behind a mapping. */
export const endOf = ({ linear, pages }: Mapping): bigint => linear + BigInt(pages * PAGE_BYTES)

/** Variables that CPUs share, by offset in the first page of {@link DATA}. */
const SHARED = {
  /** Number of the CPU that crashes; all ones before. Claimed by CMPXCHG. */
  crashing_cpu: 0x00,
  /** One bit for each CPU that has not acknowledged. */
  waiting_to_crash: 0x08,
  /** What do_nmi calls; 0 for nothing. */
  nmi_callback: 0x10,
  cpu_online_map: 0x18,
  /** The CPUs that had not acknowledged when the wait was over. */
  not_shot_down: 0x20,
  /** Number of the CPU that holds the lock of the console; all ones for none. 32 bits. */
  console_lock: 0x28,
  /** 0: none is loaded, 1: a 64-bit one, 2: a 32-bit one. 32 bits. */
  crash_image: 0x2c,
  /** One bit for each precaution that is taken. 32 bits. */
  precautions: 0x30,
  /** 1: an NMI that nobody has asked for is fatal. 32 bits. */
  fatal_nmi: 0x34,
  /** Address of each CPU's IDT; 0 where it has none. */
  idt_tables: 0x100,
} as const

export type SharedVariable = keyof typeof SHARED

export const shared = (name: SharedVariable): bigint => DATA.linear + BigInt(SHARED[name])

/** Addresses by name, for the assembler and for scenarios. */
export const SHARED_SYMBOLS: Readonly<Record<SharedVariable, bigint>> = Object.fromEntries(
  Object.keys(SHARED).map((name) => [name, shared(name as SharedVariable)]),
) as Record<SharedVariable, bigint>

/** What each CPU has: the registers that its note is made of, and whether the note is complete. 64 bytes a CPU. */
export const OWN_SHIFT = 6
export const OWN_REGS = 0
export const OWN_SAVED = 8
export const OWN_BASE = DATA.linear + BigInt(PAGE_BYTES)
export const own = (cpu: number): bigint => OWN_BASE + BigInt(cpu << OWN_SHIFT)
