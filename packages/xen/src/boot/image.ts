import type { CpuInfoLayout } from '../layout/cpu-info.js'
import type { Revision } from './decision.js'

/** Xen as it lies in memory: what it was built with, and where its code is. Nothing in it changes after it was placed. */
export interface Image {
  readonly revision: Revision
  /** NMI, #DB and #MC have stacks of their own under the IDT. */
  readonly ist: boolean
  readonly info: CpuInfoLayout
  readonly commandLine: string
  /** Labels of the entry and exit code of the delivery that is decided for. */
  readonly text: ReadonlyMap<string, bigint>
  /** Labels of the IDT's entry code as the beginning of the boot has it. */
  readonly early: ReadonlyMap<string, bigint>
  /** Labels of the boot's own code. */
  readonly init: ReadonlyMap<string, bigint>
}
