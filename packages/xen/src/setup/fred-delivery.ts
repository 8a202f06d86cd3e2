import { type Cpu, VECTOR_DF, VECTOR_MC, writeMsr } from '@trapframe/core'
import { IA32_FRED_CONFIG, IA32_FRED_RSP0, IA32_FRED_SSP0, IA32_FRED_SSP1, IA32_FRED_STKLVLS } from '@trapframe/fred'
import type { Revision } from '../boot/decision.js'
import { stackOf } from '../layout/memory.js'
import { STAR_VALUE } from '../layout/selectors.js'
import {
  fredRsp0Of,
  IST_DB,
  IST_DF,
  IST_MCE,
  IST_NMI,
  istShadowEnd,
  istTop,
  primaryShadowEnd,
} from '../layout/stack.js'
import { IA32_FMASK, IA32_STAR, SYSCALL_MASK } from './idt-delivery.js'
import { invalidateIdt, setUpMinimalTss } from './tables.js'

/** The stack pointers of a level, given the start of the CPU's stack. */
interface Level {
  readonly rsp: (stack: bigint) => bigint
  readonly ssp: (stack: bigint) => bigint
}

/** A level with one of the interrupt stacks and its shadow stack. */
const using = (index: number): Level => ({
  rsp: (stack) => istTop(stack, index),
  ssp: (stack) => istShadowEnd(stack, index),
})

/**
 * A level that must not be used. IA32_FRED_RSPn takes no address that is not canonical (A14), so the two pointers change
 * places: RSP into a shadow stack, SSP into a regular stack, and any use is #PF (X5).
 */
const poisoned = (index: number): Level => ({
  rsp: (stack) => istShadowEnd(stack, index),
  ssp: (stack) => istTop(stack, index),
})

const PRIMARY: Level = { rsp: fredRsp0Of, ssp: primaryShadowEnd }

/** What differs between the revisions: the levels, the events that have one above 0, and whether FMASK is written. */
const REVISIONS: Readonly<
  Record<Revision, { levels: readonly Level[]; stackLevels: ReadonlyMap<number, number>; fmask: boolean }>
> = {
  rfc: {
    levels: [PRIMARY, poisoned(IST_DB), poisoned(IST_NMI), using(IST_DF)],
    stackLevels: new Map([[VECTOR_DF, 3]]),
    fmask: true,
  },
  upstream: {
    levels: [PRIMARY, poisoned(IST_DB), using(IST_MCE), using(IST_DF)],
    stackLevels: new Map([
      [VECTOR_MC, 2],
      [VECTOR_DF, 3],
    ]),
    fmask: false,
  },
}

/**
 * Everything that FRED delivery needs on one CPU but CR4.FRED itself, in the order of an AP: MSRs first, for an event after
 * CR4.FRED finds nothing else; then the tables that nobody needs any more (A7).
 *
 * @param entryPage linear address of the ring 3 entry point
 */
export function setUpFredMsrs(cpu: Cpu, revision: Revision, entryPage: bigint): void {
  const { levels, stackLevels, fmask } = REVISIONS[revision]
  const stack = stackOf(cpu.id).linear
  writeMsr(cpu, IA32_STAR, STAR_VALUE)
  if (fmask) writeMsr(cpu, IA32_FMASK, SYSCALL_MASK)
  levels.forEach(({ rsp, ssp }, level) => {
    writeMsr(cpu, IA32_FRED_RSP0 + level, rsp(stack))
    writeMsr(cpu, level === 0 ? IA32_FRED_SSP0 : IA32_FRED_SSP1 + level - 1, ssp(stack))
  })
  let packed = 0n
  for (const [vector, level] of stackLevels) packed |= BigInt(level) << BigInt(2 * vector)
  writeMsr(cpu, IA32_FRED_STKLVLS, packed)
  writeMsr(cpu, IA32_FRED_CONFIG, entryPage)
}

/** What is left of the IDT's tables once CR4.FRED is set. */
export function dropIdtDelivery(cpu: Cpu): void {
  invalidateIdt(cpu)
  setUpMinimalTss(cpu)
}
