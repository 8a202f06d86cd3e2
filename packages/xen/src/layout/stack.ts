import { VECTOR_DB, VECTOR_DF, VECTOR_MC, VECTOR_NMI } from '@trapframe/core'
import { CPU_INFO, type CpuInfoLayout, STACK_BYTES } from './cpu-info.js'

/** The 8 pages of a CPU's stack and everything that points into them (X4). */

export const PAGE_BYTES = 4096
/** One of the four IST shadow stacks that share page 0. */
export const IST_SHADOW_BYTES = 1024
/** Page of the primary shadow stack. */
const PRIMARY_SHADOW_PAGE = 5

/** An interrupt stack: index in the TSS and in the shadow-stack table, and whose it is. */
export interface InterruptStack {
  readonly index: number
  readonly name: string
  readonly vector: number
}

/** In the order of their indices: page 1 holds the first, its shadow stack begins page 0. */
export const INTERRUPT_STACKS: readonly InterruptStack[] = [
  { index: 1, name: '#MC', vector: VECTOR_MC },
  { index: 2, name: 'NMI', vector: VECTOR_NMI },
  { index: 3, name: '#DB', vector: VECTOR_DB },
  { index: 4, name: '#DF', vector: VECTOR_DF },
]

const byName = new Map(INTERRUPT_STACKS.map((stack) => [stack.name, stack.index]))
export const IST_MCE = byName.get('#MC')!
export const IST_NMI = byName.get('NMI')!
export const IST_DB = byName.get('#DB')!
export const IST_DF = byName.get('#DF')!

/** A stretch of the stack, in bytes from its start. */
export interface StackPart {
  readonly name: string
  readonly offset: number
  readonly bytes: number
  readonly role: 'stack' | 'shadow' | 'data'
}

/** The parts from the top down. Between a cpu_user_regs that lies apart and the per-CPU state nobody runs (X13). */
export function stackParts(info: CpuInfoLayout = CPU_INFO): readonly StackPart[] {
  const primary = (PRIMARY_SHADOW_PAGE + 1) * PAGE_BYTES
  const top = info.dataSelectors ? info.rsp0 : info.fredRsp0
  const stackOf = ({ index, name }: InterruptStack): StackPart => ({
    name,
    offset: index * PAGE_BYTES,
    bytes: PAGE_BYTES,
    role: 'stack',
  })
  const shadowOf = ({ index, name }: InterruptStack): StackPart => ({
    name: `${name} shadow stack`,
    offset: (index - 1) * IST_SHADOW_BYTES,
    bytes: IST_SHADOW_BYTES,
    role: 'shadow',
  })
  const interruptStacks = [...INTERRUPT_STACKS].reverse()
  return [
    { name: 'cpu_info', offset: top, bytes: STACK_BYTES - top, role: 'data' },
    { name: 'primary', offset: primary, bytes: top - primary, role: 'stack' },
    { name: 'primary shadow stack', offset: PRIMARY_SHADOW_PAGE * PAGE_BYTES, bytes: PAGE_BYTES, role: 'shadow' },
    ...interruptStacks.map(stackOf),
    ...interruptStacks.map(shadowOf),
  ]
}

/** Pages that are shadow stacks, or guards where there are none. */
export const SHADOW_PAGES: readonly number[] = [0, PRIMARY_SHADOW_PAGE]

/** Top of an interrupt stack, by its index. */
export const istTop = (stack: bigint, index: number): bigint => stack + BigInt((index + 1) * PAGE_BYTES)

/** End of the shadow stack of an interrupt stack, by its index. */
export const istShadowEnd = (stack: bigint, index: number): bigint => stack + BigInt(index * IST_SHADOW_BYTES)

/** End of the primary shadow stack. */
export const primaryShadowEnd = (stack: bigint): bigint => stack + BigInt((PRIMARY_SHADOW_PAGE + 1) * PAGE_BYTES)

/** The token of a shadow stack: its last 8 bytes. */
export const tokenOf = (end: bigint): bigint => end - 8n

/** Where guest_cpu_user_regs of a stack begins. */
export const guestRegsOf = (stack: bigint, info: CpuInfoLayout = CPU_INFO): bigint => stack + BigInt(info.guestRegs)
/** TSS.RSP0 and IA32_FRED_RSP0 of a stack. */
export const rsp0Of = (stack: bigint, info: CpuInfoLayout = CPU_INFO): bigint => stack + BigInt(info.rsp0)
export const fredRsp0Of = (stack: bigint, info: CpuInfoLayout = CPU_INFO): bigint => stack + BigInt(info.fredRsp0)
