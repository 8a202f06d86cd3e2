import { MachineError } from '../error.js'

/** Who made the CPU. */
export type Vendor = 'intel' | 'amd'

/** What a CPU can do, as CPUID enumerates it. Plugins may implement more: the names are open. */
export type Feature =
  | 'nx'
  | 'syscall'
  | 'fsgsbase'
  | 'smep'
  | 'smap'
  | 'umip'
  | 'pcid'
  | 'xsave'
  | 'mce'
  | 'x2apic'
  | 'la57'
  | 'cet-ss'
  | 'cet-ibt'
  | 'lkgs'
  | 'fred'
  | 'wrmsrns'
  | 'vmx'
  | (string & {})

/**
 * Where vendors differ, as data (cpus.md). A name says what happens, so that the code that asks reads as the rule.
 */
export interface VendorBehaviour {
  /** SYSRET to a non-canonical RIP: #GP(0) still at CPL 0, or a fault at CPL 3 after the return. */
  readonly sysretNonCanonical: 'faults-before' | 'faults-after'
  /** SYSRET forces the RPL of SS to 3, or loads STAR[63:48] + 8 as it is. */
  readonly sysretForcesSsRpl: boolean
  /** SYSENTER and SYSEXIT work in long mode, or are #UD. */
  readonly sysenterInLongMode: boolean
  /** SYSCALL from compatibility mode enters (at CSTAR under the IDT), or is #UD. */
  readonly syscallFromCompatibilityMode: boolean
  /** An interrupt between iterations of a string instruction saves RF = 1. */
  readonly rfBetweenIterations: boolean
}

/** A CPU model: who has which feature. What a feature *is* belongs to core and to plugins. */
export interface CpuModel {
  readonly name: string
  readonly vendor: Vendor
  readonly family: number
  readonly model: number
  /** Widest linear address: 48, or 57 where 5-level paging exists. */
  readonly linearAddressBits: 48 | 57
  readonly features: ReadonlySet<Feature>
  readonly behaviour: VendorBehaviour
  /** Remarks on the model, such as an edit that no real CPU has. */
  readonly notes: readonly string[]
  /**
   * Bits that CPUID shows besides those of features: of instruction sets that no event depends on. An instruction of theirs
   * stops a run by name.
   */
  readonly shows?: readonly CpuidBits[]
}

/** Bits of one leaf of CPUID; a register that is left out has none. */
export interface CpuidBits {
  readonly leaf: number
  readonly subleaf?: number
  readonly eax?: number
  readonly ebx?: number
  readonly ecx?: number
  readonly edx?: number
}

/** What Intel’s CPUs do where vendors differ. */
export const INTEL_BEHAVIOUR: VendorBehaviour = {
  sysretNonCanonical: 'faults-before',
  sysretForcesSsRpl: true,
  sysenterInLongMode: true,
  syscallFromCompatibilityMode: false,
  rfBetweenIterations: true,
}

/** What AMD’s CPUs do where vendors differ. */
export const AMD_BEHAVIOUR: VendorBehaviour = {
  sysretNonCanonical: 'faults-after',
  sysretForcesSsRpl: false,
  sysenterInLongMode: false,
  syscallFromCompatibilityMode: true,
  rfBetweenIterations: false,
}

/** What every preset has. */
export const COMMON_FEATURES: readonly Feature[] = [
  'nx',
  'syscall',
  'fsgsbase',
  'smep',
  'smap',
  'pcid',
  'xsave',
  'mce',
  'x2apic',
]

/** A model from its parts; what is left out is taken from the vendor and from {@link COMMON_FEATURES}. */
export function cpuModel(parts: {
  readonly name?: string
  readonly vendor: Vendor
  readonly features: Iterable<Feature>
  readonly linearAddressBits: 48 | 57
  readonly family?: number
  readonly model?: number
  readonly behaviour?: Partial<VendorBehaviour>
}): CpuModel {
  const features = new Set<Feature>([...COMMON_FEATURES, ...parts.features])
  if (parts.linearAddressBits === 57) features.add('la57')
  return {
    name: parts.name ?? `${parts.vendor} with ${[...parts.features].join(', ') || 'no extras'}`,
    vendor: parts.vendor,
    family: parts.family ?? 6,
    model: parts.model ?? 0,
    linearAddressBits: parts.linearAddressBits,
    features,
    behaviour: { ...(parts.vendor === 'intel' ? INTEL_BEHAVIOUR : AMD_BEHAVIOUR), ...parts.behaviour },
    notes: notesOn(features),
  }
}

/** The presets of cpus.md. */
export const CPU_PRESETS: readonly CpuModel[] = [
  cpuModel({ name: 'skylake', vendor: 'intel', family: 6, model: 0x55, linearAddressBits: 48, features: ['vmx'] }),
  cpuModel({
    name: 'sapphire-rapids',
    vendor: 'intel',
    family: 6,
    model: 0x8f,
    linearAddressBits: 57,
    features: ['umip', 'cet-ss', 'cet-ibt', 'vmx'],
  }),
  cpuModel({
    name: 'panther-lake',
    vendor: 'intel',
    family: 6,
    model: 0xcc,
    linearAddressBits: 48,
    features: ['umip', 'cet-ss', 'cet-ibt', 'lkgs', 'fred', 'wrmsrns', 'vmx'],
  }),
  cpuModel({
    name: 'diamond-rapids',
    vendor: 'intel',
    family: 0x13,
    model: 0x01,
    linearAddressBits: 57,
    features: ['umip', 'cet-ss', 'cet-ibt', 'lkgs', 'fred', 'wrmsrns', 'vmx'],
  }),
  cpuModel({
    name: 'zen4',
    vendor: 'amd',
    family: 0x19,
    model: 0x11,
    linearAddressBits: 57,
    features: ['umip', 'cet-ss'],
  }),
  cpuModel({
    name: 'zen6',
    vendor: 'amd',
    family: 0x1a,
    model: 0x00,
    linearAddressBits: 57,
    features: ['umip', 'cet-ss', 'lkgs', 'fred'],
  }),
]

/**
 * A model by preset name and feature edits: `panther-lake,-lkgs`, `skylake,+cet-ss`.
 *
 * @param known features that may be edited in or out: those of the presets and what plugins implement
 * @throws MachineError for an unknown preset or feature, or an edit that is neither `+name` nor `-name`
 */
export function resolveCpuModel(
  spec: string,
  presets: readonly CpuModel[] = CPU_PRESETS,
  known: ReadonlySet<Feature> = new Set(presets.flatMap((preset) => [...preset.features])),
): CpuModel {
  const [name = '', ...edits] = spec.split(',').map((part) => part.trim())
  const preset = presets.find((candidate) => candidate.name === name)
  if (!preset) {
    throw new MachineError('unknown-cpu', `unknown CPU "${name}"`, {
      hint: `known are ${presets.map((candidate) => candidate.name).join(', ')}`,
    })
  }
  const features = new Set(preset.features)
  for (const edit of edits) {
    const feature = edit.slice(1)
    if (!/^[+-]./.test(edit)) {
      throw new MachineError('cpu-edit', `"${edit}" in CPU "${spec}" is no edit`, {
        hint: `write +${edit || 'feature'} or -${edit || 'feature'}`,
      })
    }
    if (!known.has(feature)) {
      throw new MachineError('unknown-feature', `unknown CPU feature "${feature}" in "${spec}"`, {
        hint: `known are ${[...known].sort().join(', ')}`,
      })
    }
    if (edit[0] === '+') features.add(feature)
    else features.delete(feature)
  }
  if (edits.length === 0) return preset
  return {
    ...preset,
    name: [name, ...edits].join(','),
    features,
    linearAddressBits: features.has('la57') ? 57 : 48,
    notes: notesOn(features),
  }
}

function notesOn(features: ReadonlySet<Feature>): string[] {
  return features.has('fred') && !features.has('lkgs')
    ? ['no real CPU has FRED without LKGS: FRED implies it (FRED specification, enumeration)']
    : []
}
