import { MachineError } from '@trapframe/core'
import { type Field, placeFields, USER_REGS_BYTES } from './user-regs.js'

/**
 * `struct cpu_info`, at the very top of a CPU's stack: the guest's cpu_user_regs, the 16 bytes by which a FRED frame is
 * longer, and 64 bytes of per-CPU state. Everything that points to the top of the stack derives from here (X4, X8).
 */

/** 8 pages, and aligned to as many. */
export const STACK_PAGES = 8
export const STACK_BYTES = STACK_PAGES * 4096

/** What FRED pushes above cpu_user_regs: the event data and a reserved quadword. */
export const FRED_INFO_FIELDS: readonly Field[] = [
  { name: 'edata', bytes: 8 },
  { name: 'reserved', bytes: 8 },
]

/** What lies above: exactly 64 bytes, the last one padding. */
export const CPU_STATE_FIELDS: readonly Field[] = [
  { name: 'processor_id', bytes: 4 },
  { name: 'verw_sel', bytes: 4 },
  { name: 'current_vcpu', bytes: 8 },
  { name: 'per_cpu_offset', bytes: 8 },
  { name: 'cr4', bytes: 8 },
  { name: 'xen_cr3', bytes: 8 },
  { name: 'pv_cr3', bytes: 8 },
  { name: 'shadow_spec_ctrl', bytes: 4 },
  { name: 'xen_spec_ctrl', bytes: 4 },
  { name: 'last_spec_ctrl', bytes: 4 },
  { name: 'scf', bytes: 1 },
  { name: 'root_pgt_changed', bytes: 1 },
  { name: 'use_pv_cr3', bytes: 1 },
  { name: 'padding', bytes: 1 },
]

/** Where the parts of cpu_info end up, in bytes from the start of the stack. */
export interface CpuInfoLayout {
  /** Start of cpu_info, which is guest_cpu_user_regs. */
  readonly guestRegs: number
  /** End of guest_cpu_user_regs: TSS.RSP0. */
  readonly rsp0: number
  /** End of fred_info: IA32_FRED_RSP0. */
  readonly fredRsp0: number
  /** Offset of each field above, by name. */
  readonly state: ReadonlyMap<string, number>
}

/** FRED aligns RSP to its frame, and IA32_FRED_RSP0 takes nothing else (A13, A14). */
const FRED_ALIGNMENT = 64
/** What the IDT aligns RSP to; TSS.RSP0 is expected to be so already. */
const IDT_ALIGNMENT = 16

/**
 * Lays cpu_info out against the end of the stack, and checks what the two deliveries need: IA32_FRED_RSP0 aligned to 64
 * bytes, TSS.RSP0 to 16 (X8).
 *
 * @throws MachineError with the arithmetic, when one of them is not
 */
export function layOutCpuInfo(
  state: readonly Field[] = CPU_STATE_FIELDS,
  fredInfo: readonly Field[] = FRED_INFO_FIELDS,
): CpuInfoLayout {
  const placed = placeFields(state)
  const fredBytes = placeFields(fredInfo).bytes
  const fredRsp0 = STACK_BYTES - placed.bytes
  const rsp0 = fredRsp0 - fredBytes
  requireAligned('IA32_FRED_RSP0', fredRsp0, FRED_ALIGNMENT, [[placed.bytes, 'after fred_info']])
  requireAligned('TSS.RSP0', rsp0, IDT_ALIGNMENT, [
    [placed.bytes, 'after fred_info'],
    [fredBytes, 'of fred_info'],
  ])
  const offsets = new Map([...placed.offsets].map(([name, offset]) => [name, fredRsp0 + offset] as const))
  return { guestRegs: rsp0 - USER_REGS_BYTES, rsp0, fredRsp0, state: offsets }
}

function requireAligned(
  pointer: string,
  offset: number,
  alignment: number,
  parts: readonly (readonly [bytes: number, what: string])[],
): void {
  const excess = offset % alignment
  if (excess === 0) return
  const sum = [`${hex(STACK_BYTES)} (stack)`, ...parts.map(([bytes, what]) => `${hex(bytes)} (${what})`)].join(' - ')
  throw new MachineError(
    'cpu-info-layout',
    `cpu_info does not fit: ${pointer} = ${sum} = ${hex(offset)}, and ${hex(offset)} % ${alignment} = ${excess}`,
    { hint: `add ${excess} bytes of padding, or take ${alignment - excess} more away` },
  )
}

const hex = (value: number): string => `0x${value.toString(16)}`

/** The layout that Xen has. */
export const CPU_INFO = layOutCpuInfo()

/** Offset of a field of the per-CPU state from the start of the stack. */
export const cpuStateOffset = (name: string): number => CPU_INFO.state.get(name)!
