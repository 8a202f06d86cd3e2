import {
  type Cpu,
  type CpuModel,
  CR4,
  CR4_OSXSAVE,
  type Feature,
  RAX,
  RBX,
  RCX,
  RDX,
  type Semantics,
  type Vendor,
} from '@trapframe/core'

/** What a CPUID leaf answers: EAX, EBX, ECX, EDX. */
type Answer = readonly [eax: number, ebx: number, ecx: number, edx: number]

const HIGHEST_BASIC_LEAF = 7
const HIGHEST_EXTENDED_LEAF = 0x80000008
const PHYSICAL_ADDRESS_BITS = 52
/** CLFLUSH works on 8 × 8 bytes. */
const CLFLUSH_UNITS = 8

/** EBX, EDX, ECX spell the vendor. */
const VENDOR_STRINGS: Readonly<Record<Vendor, string>> = { intel: 'GenuineIntel', amd: 'AuthenticAMD' }

/** Bits that every 64-bit CPU of the model has: what core and isa implement without a feature of its own. */
const LEAF_1_ECX = bitsOf(13) // CMPXCHG16B
// FPU VME DE PSE TSC MSR PAE CX8 SEP PGE CMOV CLFSH FXSR SSE SSE2
const LEAF_1_EDX = bitsOf(0, 1, 2, 3, 4, 5, 6, 8, 11, 13, 15, 19, 24, 25, 26)
// LAHF in 64-bit mode
const EXTENDED_1_ECX = bitsOf(0)
// RDTSCP, long mode
const EXTENDED_1_EDX = bitsOf(27, 29)

/** Features by register and bit of their leaf (SDM 2A CPUID; fred.md for leaf 7.1). */
const LEAF_1_ECX_FEATURES: readonly (readonly [Feature, number])[] = [
  ['vmx', 5],
  ['pcid', 17],
  ['x2apic', 21],
  ['xsave', 26],
]
const LEAF_1_EDX_FEATURES: readonly (readonly [Feature, number])[] = [
  ['mce', 7],
  ['x2apic', 9],
  ['mce', 14],
]
const LEAF_7_EBX_FEATURES: readonly (readonly [Feature, number])[] = [
  ['fsgsbase', 0],
  ['smep', 7],
  ['pcid', 10],
  ['smap', 20],
]
const LEAF_7_ECX_FEATURES: readonly (readonly [Feature, number])[] = [
  ['umip', 2],
  ['cet-ss', 7],
  ['la57', 16],
]
const LEAF_7_EDX_FEATURES: readonly (readonly [Feature, number])[] = [['cet-ibt', 20]]
const LEAF_7_1_EAX_FEATURES: readonly (readonly [Feature, number])[] = [
  ['fred', 17],
  ['lkgs', 18],
  ['wrmsrns', 19],
]

function bitsOf(...positions: readonly number[]): number {
  return positions.reduce((bits, position) => bits | (1 << position), 0)
}

function enumerated(cpu: Cpu, features: readonly (readonly [Feature, number])[]): number {
  return bitsOf(...features.filter(([feature]) => cpu.has(feature)).map(([, position]) => position))
}

function vendorLeaf(vendor: Vendor): Answer {
  const text = VENDOR_STRINGS[vendor]
  const word = (from: number): number =>
    [0, 1, 2, 3].reduce((value, i) => value | (text.charCodeAt(from + i) << (8 * i)), 0)
  return [HIGHEST_BASIC_LEAF, word(0), word(8), word(4)]
}

/** Family and model, with the extended fields above family 14 and where they count (SDM 2A CPUID, figure 3-6). */
function signature({ family, model }: CpuModel): number {
  const baseFamily = Math.min(family, 15)
  return ((family - baseFamily) << 20) | ((model >>> 4) << 16) | (baseFamily << 8) | ((model & 15) << 4)
}

function basicFeatures(cpu: Cpu): Answer {
  const osxsave = (cpu.words[CR4]! & CR4_OSXSAVE) !== 0 ? 1 << 27 : 0
  return [
    signature(cpu.model),
    (cpu.id << 24) | (cpu.machine.cpus.length << 16) | (CLFLUSH_UNITS << 8),
    LEAF_1_ECX | enumerated(cpu, LEAF_1_ECX_FEATURES) | osxsave,
    LEAF_1_EDX | enumerated(cpu, LEAF_1_EDX_FEATURES),
  ]
}

function structuredFeatures(cpu: Cpu, subleaf: number): Answer {
  if (subleaf === 1) return [enumerated(cpu, LEAF_7_1_EAX_FEATURES), 0, 0, 0]
  if (subleaf !== 0) return [0, 0, 0, 0]
  return [
    1,
    enumerated(cpu, LEAF_7_EBX_FEATURES),
    enumerated(cpu, LEAF_7_ECX_FEATURES),
    enumerated(cpu, LEAF_7_EDX_FEATURES),
  ]
}

/** SYSCALL is hidden outside 64-bit mode where it does not work there. */
function extendedFeatures(cpu: Cpu): Answer {
  const syscallHere = cpu.codeSize === 64 || cpu.model.behaviour.syscallFromCompatibilityMode
  const edx = EXTENDED_1_EDX | (cpu.has('syscall') && syscallHere ? bitsOf(11) : 0) | (cpu.has('nx') ? bitsOf(20) : 0)
  return [0, 0, EXTENDED_1_ECX, edx]
}

/**
 * The answer of CPUID, EAX to EDX, as signed 32-bit numbers: what the CPU's features and its CR4 say. Leaves that the
 * model does not describe are 0.
 */
export function cpuid(cpu: Cpu, leaf: number, subleaf: number): Answer {
  const answer = byFeatures(cpu, leaf, subleaf)
  const more = cpu.model.shows?.find((bits) => bits.leaf === leaf >>> 0 && (bits.subleaf ?? subleaf) === subleaf)
  if (more === undefined) return answer
  const [eax, ebx, ecx, edx] = answer
  return [eax | (more.eax ?? 0), ebx | (more.ebx ?? 0), ecx | (more.ecx ?? 0), edx | (more.edx ?? 0)]
}

function byFeatures(cpu: Cpu, leaf: number, subleaf: number): Answer {
  switch (leaf >>> 0) {
    case 0:
      return vendorLeaf(cpu.model.vendor)
    case 1:
      return basicFeatures(cpu)
    case 7:
      return structuredFeatures(cpu, subleaf)
    case 0x80000000:
      return [HIGHEST_EXTENDED_LEAF, 0, 0, 0]
    case 0x80000001:
      return extendedFeatures(cpu)
    case 0x80000008:
      return [(cpu.model.linearAddressBits << 8) | PHYSICAL_ADDRESS_BITS, 0, 0, 0]
    default:
      return [0, 0, 0, 0]
  }
}

/** CPUID: EAX and ECX select, the upper halves become 0. */
export const identification: Readonly<Record<string, Semantics>> = {
  cpuid: (cpu) => {
    const { words } = cpu
    const answer = cpuid(cpu, words[RAX]!, words[RCX]!)
    for (const [i, slot] of [RAX, RBX, RCX, RDX].entries()) {
      words[slot] = answer[i]!
      words[slot + 1] = 0
    }
  },
}
