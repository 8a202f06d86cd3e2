import { VECTOR_DF, VECTOR_MC } from '@trapframe/core'
import { IA32_FRED_CONFIG, IA32_FRED_RSP0, IA32_FRED_SSP0, IA32_FRED_SSP1, IA32_FRED_STKLVLS } from '@trapframe/fred'
import type { Revision } from '../boot/decision.js'
import type { CpuInfoLayout } from '../layout/cpu-info.js'
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
import type { MsrSetting } from './msr.js'

/** The stack pointers of a level, given the start of the CPU's stack. */
interface Level {
  readonly rsp: (stack: bigint, info: CpuInfoLayout) => bigint
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
 * The MSRs of FRED delivery in the order in which they are written, all of them before CR4.FRED: an event after that
 * finds nothing else (A7). SSPs are written whether there are shadow stacks or not.
 *
 * @param entryPage linear address of the ring 3 entry point
 */
export function fredMsrs(revision: Revision, entryPage: bigint): readonly MsrSetting[] {
  const { levels, stackLevels, fmask } = REVISIONS[revision]
  const settings: MsrSetting[] = [{ name: 'IA32_STAR', index: IA32_STAR, value: STAR_VALUE }]
  if (fmask) settings.push({ name: 'IA32_FMASK', index: IA32_FMASK, value: SYSCALL_MASK })
  levels.forEach(({ rsp, ssp }, level) => {
    const sspIndex = level === 0 ? IA32_FRED_SSP0 : IA32_FRED_SSP1 + level - 1
    settings.push({ name: `IA32_FRED_RSP${level}`, index: IA32_FRED_RSP0 + level, value: rsp })
    settings.push({ name: `IA32_FRED_SSP${level}`, index: sspIndex, value: ssp })
  })
  let packed = 0n
  for (const [vector, level] of stackLevels) packed |= BigInt(level) << BigInt(2 * vector)
  settings.push({ name: 'IA32_FRED_STKLVLS', index: IA32_FRED_STKLVLS, value: packed })
  settings.push({ name: 'IA32_FRED_CONFIG', index: IA32_FRED_CONFIG, value: entryPage })
  return settings
}
