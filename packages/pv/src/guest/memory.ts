import { type AddressSpace, PAGE_EXECUTABLE, PAGE_USER, PAGE_WRITABLE } from '@trapframe/core'

/**
 * The memory of a small PV guest, all of it in the first 2 MiB and at its own physical addresses. The names are those that
 * recordings of a real guest use; that guest's `kstack` was at the same address, because flags can show it.
 */

const PAGE = 0x1000n

/** A stretch of pages; none of them is the hypervisor's. */
interface Stretch {
  readonly address: bigint
  readonly pages: number
  readonly flags: number
}

const page = (address: bigint, flags: number, pages = 1): Stretch => ({ address, pages, flags: PAGE_USER | flags })
const CODE = PAGE_EXECUTABLE
const DATA = PAGE_WRITABLE
const READ_ONLY = 0

/** Stubs of the guest's kernel, the entry points, and what the kernel keeps for itself. */
export const KERNEL_TEXT = 0x10_0000n
export const ENTRY_POINTS = 0x11_0000n
export const KERNEL_DATA = 0x12_0000n
const KERNEL_DATA_PAGES = 4
/** The kernel's own stack, on which it makes its hypercalls: not the one registered for entries from user mode. */
const WORK_STACK = 0x13_0000n
const WORK_STACK_PAGES = 4
export const WORK_STACK_TOP = WORK_STACK + BigInt(WORK_STACK_PAGES) * PAGE - 0x200n

/** Entry points are this many bytes apart. */
export const ENTRY_POINT_BYTES = 32n
/** One for each vector, and those of the callbacks behind them. */
export const ENTRY_POINT_PAGES = 3

const CODE_PAGE = 0x14_0000n
const KERNEL_STACK = 0x15_0000n
const USER_STACK = 0x15_8000n
const STACK_PAGES = 2
const LDT = 0x17_0000n

/** The guest's GDT, one page. */
export const GUEST_GDT = 0x17_8000n

/** Named places. */
export const ANCHORS = {
  /** First byte of the code under test, in a page of UD2. */
  code: CODE_PAGE + 0x800n,
  /** The kernel stack pointer for entries from user mode; 8 KiB lie below it. */
  kstack: 0x1c_4000n,
  /** RSP of code under test in kernel mode and in user mode, 256 bytes below the end of a page. */
  kcur: KERNEL_STACK + BigInt(STACK_PAGES) * PAGE - 0x100n,
  ustack: USER_STACK + BigInt(STACK_PAGES) * PAGE - 0x100n,
  /** Writable zeros; read-only; not present, behind a page that is writable; not executable. */
  data: 0x16_0000n,
  ropage: 0x16_2000n,
  nppage: 0x16_4000n,
  nxpage: 0x16_6000n,
  /** Pages for GS and FS bases, with a mark at the start. */
  gsk: 0x16_8000n,
  gsu: 0x16_a000n,
  gsx: 0x16_c000n,
  /** The page of the LDT. The one behind it is `fsb`, and no page of descriptors: the guest may write it. */
  ldt: LDT,
  fsb: LDT + PAGE,
} as const

/** The name of a place in the guest’s memory. */
export type Anchor = keyof typeof ANCHORS

/** The first quadword of the pages for bases: a doubled letter, K, U, X or BF. */
export const MARKS = { gsk: 0x4b6bn, gsu: 0x5575n, gsx: 0x5878n, fsb: 0x4662n } as const satisfies Partial<
  Record<Anchor, bigint>
>

const STRETCHES: readonly Stretch[] = [
  page(KERNEL_TEXT, CODE),
  page(ENTRY_POINTS, CODE, ENTRY_POINT_PAGES),
  page(KERNEL_DATA, DATA, KERNEL_DATA_PAGES),
  page(WORK_STACK, DATA, WORK_STACK_PAGES),
  page(CODE_PAGE, CODE),
  page(KERNEL_STACK, DATA, STACK_PAGES),
  page(USER_STACK, DATA, STACK_PAGES),
  page(ANCHORS.kstack - 2n * PAGE, DATA, 2),
  page(ANCHORS.data, DATA),
  page(ANCHORS.nppage - PAGE, DATA),
  page(ANCHORS.ropage, READ_ONLY),
  page(ANCHORS.nxpage, READ_ONLY),
  page(ANCHORS.gsk, DATA),
  page(ANCHORS.gsu, DATA),
  page(ANCHORS.gsx, DATA),
  page(ANCHORS.ldt, READ_ONLY),
  page(ANCHORS.fsb, DATA),
  page(GUEST_GDT, READ_ONLY),
]

/** Addresses of all its pages. */
export const GUEST_PAGES: readonly bigint[] = [...STRETCHES, { address: ANCHORS.nppage, pages: 1 }].flatMap(
  ({ address, pages }) => Array.from({ length: pages }, (_, i) => address + BigInt(i) * PAGE),
)

/** `UD2` and `NOP`, as a page is filled with them. */
const UD2 = [0x0f, 0x0b]
const NOP = [0x90]
/** What nobody has written to the stacks of code under test yet. */
const STACK_FILL = [0xaa]

const filled = (pattern: readonly number[]): Uint8Array =>
  Uint8Array.from({ length: Number(PAGE) }, (_, i) => pattern[i % pattern.length]!)

/** Maps the guest's pages, and fills them. Nothing else of the space changes. */
export function mapGuestMemory(space: AddressSpace): void {
  for (const { address, pages, flags } of STRETCHES) {
    space.map(address, flags, pages)
    for (let i = 0n; i < pages; i++) space.write(address + i * PAGE, new Uint8Array(Number(PAGE)))
  }
  space.map(ANCHORS.nppage, 0)
  space.write(ANCHORS.nppage, filled(NOP))
  space.unmap(ANCHORS.nppage)
  space.write(ANCHORS.nxpage, filled(NOP))
  space.write(CODE_PAGE, filled(UD2))
  for (const stack of [KERNEL_STACK, USER_STACK]) {
    for (let i = 0n; i < STACK_PAGES; i++) space.write(stack + i * PAGE, filled(STACK_FILL))
  }
  for (const [name, mark] of Object.entries(MARKS)) space.write64(ANCHORS[name as Anchor], mark)
}
