import { MachineError } from '@trapframe/core'
import { FRAME_BYTES } from '@trapframe/fred'
import { DATA_SELECTOR_FIELDS, type Field, placeFields, USER_REGS_BYTES, userRegsOffset } from './user-regs.js'

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

/** Bit of `scf`: VERW on the way to a guest. */
export const SCF_VERW = 1 << 3

/** Where the parts of cpu_info end up, in bytes from the start of the stack. */
export interface CpuInfoLayout {
  readonly name: LayoutName
  /** Start of guest_cpu_user_regs. */
  readonly guestRegs: number
  /** End of the frame in guest_cpu_user_regs: TSS.RSP0. */
  readonly rsp0: number
  /** End of fred_info: IA32_FRED_RSP0. */
  readonly fredRsp0: number
  /** First byte of the per-CPU state. */
  readonly state: number
  /** The data selectors ES, DS, FS and GS lie above SS in cpu_user_regs, from TSS.RSP0 up (X12). */
  readonly dataSelectors: boolean
}

/**
 * The layouts there are: `together` is Xen's; `apart` has cpu_user_regs a page below the per-CPU state (X13); `vm86` is
 * what Xen had before FRED, with the data selectors of vm86 mode where FRED pushes its 16 bytes (X12).
 */
export const LAYOUT_NAMES = ['together', 'apart', 'vm86'] as const
export type LayoutName = (typeof LAYOUT_NAMES)[number]

/** FRED aligns RSP to its frame, and IA32_FRED_RSP0 takes nothing else (A13, A14). */
const FRED_ALIGNMENT = 64
/** What the IDT aligns RSP to; TSS.RSP0 is expected to be so already. */
const IDT_ALIGNMENT = 16

/** A stretch of the sum that an alignment check shows. */
type Part = readonly [bytes: number, what: string]

/** What is laid out; what is left out is as Xen has it. */
export interface CpuInfoParts {
  readonly name?: LayoutName
  readonly state?: readonly Field[]
  readonly fredInfo?: readonly Field[]
  /** Fields of cpu_user_regs above the frame. */
  readonly aboveFrame?: readonly Field[]
  /** Bytes between cpu_user_regs and the per-CPU state that belong to neither. */
  readonly gap?: number
  /** The deliveries that must be possible with it. */
  readonly deliveries?: readonly ('idt' | 'fred')[]
}

/**
 * Lays cpu_info out against the end of the stack, and checks what the deliveries need: IA32_FRED_RSP0 aligned to 64
 * bytes, TSS.RSP0 to 16, and fred_info as large as what FRED pushes above SS (X8).
 *
 * @throws MachineError with the arithmetic, when something does not fit
 */
export function layOutCpuInfo({
  name = 'together',
  state = CPU_STATE_FIELDS,
  fredInfo = FRED_INFO_FIELDS,
  aboveFrame = [],
  gap = 0,
  deliveries = ['idt', 'fred'],
}: CpuInfoParts = {}): CpuInfoLayout {
  const stateBytes = placeFields(state).bytes
  const fredBytes = placeFields(fredInfo).bytes
  const selectorBytes = placeFields(aboveFrame).bytes
  // Without FRED's 16 bytes the frame ends at what lies above it, and FRED would push into that.
  const vm86 = selectorBytes > 0
  const above: Part[] = [[stateBytes, vm86 ? 'per-CPU state' : 'after fred_info']]
  if (gap > 0) above.push([gap, 'between'])
  const end = STACK_BYTES - stateBytes - gap
  const rsp0 = end - (vm86 ? selectorBytes : fredBytes)
  const fredRsp0 = rsp0 + fredBytes
  const belowFrame: Part = vm86 ? [selectorBytes, 'ds, es, fs, gs'] : [fredBytes, 'of fred_info']
  if (deliveries.includes('fred')) {
    const parts = vm86 ? [...above, belowFrame, [-fredBytes, 'event data'] as const] : above
    requireAligned('IA32_FRED_RSP0', fredRsp0, FRED_ALIGNMENT, parts)
  }
  if (deliveries.includes('idt')) requireAligned('TSS.RSP0', rsp0, IDT_ALIGNMENT, [...above, belowFrame])
  if (deliveries.includes('fred')) requireFrameFits(fredBytes)
  return {
    name,
    guestRegs: rsp0 - USER_REGS_BYTES,
    rsp0,
    fredRsp0,
    state: STACK_BYTES - stateBytes,
    dataSelectors: vm86,
  }
}

function requireAligned(pointer: string, offset: number, alignment: number, parts: readonly Part[]): void {
  const excess = offset % alignment
  if (excess === 0) return
  const terms = parts.map(([bytes, what]) => `${bytes < 0 ? '+' : '-'} ${hex(Math.abs(bytes))} (${what})`)
  throw new MachineError(
    'cpu-info-layout',
    `cpu_info does not fit: ${pointer} = ${hex(STACK_BYTES)} (stack) ${terms.join(' ')} = ${hex(offset)}, and ${hex(offset)} % ${alignment} = ${excess}`,
    { hint: `add ${excess} bytes of padding, or take ${alignment - excess} more away` },
  )
}

/** What FRED pushes above SS is fred_info, neither more nor less: otherwise cpu_user_regs would not end at SS. */
function requireFrameFits(fredInfoBytes: number): void {
  const frame = USER_REGS_BYTES - userRegsOffset('error_code')
  const above = FRAME_BYTES - frame
  if (fredInfoBytes === above) return
  throw new MachineError(
    'cpu-info-layout',
    `cpu_info does not fit: fred_info has ${hex(fredInfoBytes)} bytes, and FRED pushes ${hex(FRAME_BYTES)} (frame) - ${hex(frame)} (error_code to ss) = ${hex(above)} above ss`,
    { hint: 'fred_info is event data and a reserved quadword' },
  )
}

const hex = (value: number): string => `0x${value.toString(16)}`

/** The layout that Xen has. */
export const CPU_INFO = layOutCpuInfo()

const STATE = placeFields(CPU_STATE_FIELDS)
const PAGE_BYTES = 4096

/**
 * The layout of a name, for one delivery.
 *
 * @throws MachineError with the arithmetic, for a layout that the delivery cannot use (X8)
 */
export function cpuInfoLayout(name: LayoutName, delivery: 'idt' | 'fred'): CpuInfoLayout {
  switch (name) {
    case 'together':
      return CPU_INFO
    case 'apart':
      return layOutCpuInfo({ name, gap: PAGE_BYTES - STATE.bytes })
    case 'vm86':
      return layOutCpuInfo({ name, aboveFrame: DATA_SELECTOR_FIELDS, deliveries: [delivery] })
  }
}

/** Offset of a field of the per-CPU state from the start of the stack: the same in every layout. */
export const cpuStateOffset = (name: string): number => CPU_INFO.state + STATE.offsets.get(name)!
