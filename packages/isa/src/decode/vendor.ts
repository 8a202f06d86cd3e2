import { CpuidFeature } from './iced.js'

/** Features that only Intel's processors have. */
const INTEL: ReadonlySet<CpuidFeature> = new Set([
  CpuidFeature.VMX,
  CpuidFeature.SMX,
  CpuidFeature.SGX1,
  CpuidFeature.OSS,
  CpuidFeature.TDX,
  CpuidFeature.PCONFIG,
])

/** Features that only AMD's processors have. */
const AMD: ReadonlySet<CpuidFeature> = new Set([
  CpuidFeature.SVM,
  CpuidFeature.SKINIT_or_SVM,
  CpuidFeature.MONITORX,
  CpuidFeature.MCOMMIT,
  CpuidFeature.CLZERO,
  CpuidFeature.RDPRU,
  CpuidFeature.SEV_ES,
  CpuidFeature.SEV_SNP,
  CpuidFeature.RMPQUERY,
  CpuidFeature.INVLPGB,
])

/** Features of other makers, or given up by both long before FRED. */
const GONE: ReadonlySet<CpuidFeature> = new Set([
  CpuidFeature.PADLOCK_ACE,
  CpuidFeature.PADLOCK_PHE,
  CpuidFeature.PADLOCK_PMM,
  CpuidFeature.PADLOCK_RNG,
  CpuidFeature.PADLOCK_GMI,
  CpuidFeature.PADLOCK_UNDOC,
  CpuidFeature.D3NOW,
  CpuidFeature.D3NOWEXT,
  CpuidFeature.XOP,
  CpuidFeature.FMA4,
  CpuidFeature.TBM,
  CpuidFeature.LWP,
])

/** Who has the instructions of these features: everybody, one of the two, or nobody. */
export type Makers = 'both' | 'intel' | 'amd' | 'none'

/** Who makes processors with all of these features, as far as the maker decides it. */
export function makersOf(features: Iterable<CpuidFeature>): Makers {
  let makers: Makers = 'both'
  for (const feature of features) {
    if (GONE.has(feature)) return 'none'
    if (INTEL.has(feature)) makers = 'intel'
    if (AMD.has(feature)) makers = 'amd'
  }
  return makers
}
