import type { CpuInfoLayout } from '../layout/cpu-info.js'

/** An MSR that a boot writes, and what. The same code writes it on every CPU. */
export interface MsrSetting {
  readonly name: string
  readonly index: number
  /** The value, given where a CPU's stack begins and how cpu_info is laid out. */
  readonly value: bigint | ((stack: bigint, info: CpuInfoLayout) => bigint)
}
