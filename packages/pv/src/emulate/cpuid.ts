import { CR4, CR4_OSXSAVE, VECTOR_UD } from '@trapframe/core'
import { cpuid } from '@trapframe/isa'
import { inKernelMode, type PvContext } from '../context.js'
import { XEN_VERSION } from '../hypercall/version.js'
import { guestCr4 } from './guest-cr4.js'
import { RAX, RCX, readGuestGpr, writeGuestGpr } from './guest-registers.js'

/**
 * What Xen lets a PV guest see of the CPU, by its featuresets: what is of no use in ring 3, and what Xen keeps to itself, is
 * hidden.
 */

type Answer = readonly [eax: number, ebx: number, ecx: number, edx: number]

const bits = (...positions: readonly number[]): number => positions.reduce((all, n) => all | (1 << n), 0)

/** Hidden bits of EAX, EBX, ECX, EDX, by leaf and subleaf. */
const HIDDEN: Readonly<Record<string, Answer>> = {
  // VMX, PCID, x2APIC, TSC deadline; VME, PSE, MTRR, PGE, PSE-36
  '1': [0, 0, bits(5, 17, 21, 24), bits(1, 3, 12, 13, 17)],
  // SMEP, INVPCID, SMAP; UMIP, PKU, OSPKE, CET shadow stacks, LA57; CET branch tracking
  '7.0': [0, bits(7, 10, 20), bits(2, 3, 4, 7, 16), bits(20)],
  // FRED, LKGS, WRMSRNS
  '7.1': [bits(17, 18, 19), 0, 0, 0],
}

const OSXSAVE = bits(27)
const MTRR = bits(12)
/** In `entry_vector`: what led here was UD2. */
const FORCED = BigInt(VECTOR_UD)

const XEN_BASE = 0x4000_0000
const HIGHEST_XEN_LEAF = 0x4000_0005
/** "XenVMMXenVMM" in EBX, ECX, EDX. */
const SIGNATURE = [0x566e_6558, 0x6558_4d4d, 0x4d4d_566e] as const

/** CPUID as Xen answers a PV guest. */
function guestAnswer(context: PvContext, leaf: number, subleaf: number): Answer {
  const { cpu } = context
  if (leaf === XEN_BASE) return [HIGHEST_XEN_LEAF, ...SIGNATURE]
  if (leaf === XEN_BASE + 1) return [Number(XEN_VERSION.run(context, [0n])), 0, 0, 0]
  const real = cpuid(cpu, leaf, subleaf)
  const hidden = HIDDEN[leaf === 7 ? `7.${subleaf}` : String(leaf)]
  const [eax, ebx, ecx, edx] = hidden === undefined ? real : without(real, hidden)
  if (leaf === 0x8000_0001) return [eax, ebx, ecx, edx | leakedMtrr(context)]
  if (leaf !== 1) return [eax, ebx, ecx, edx]
  return [eax, ebx, (ecx & ~OSXSAVE) | (showsOsxsave(context) ? OSXSAVE : 0), edx | leakedMtrr(context)]
}

/** The kernel of the hardware domain, which the guest here is, sees MTRR in both feature leaves, as it always has. */
const leakedMtrr = (context: PvContext): number => (inKernelMode(context) ? cpuid(context.cpu, 1, 0)[3] & MTRR : 0)

const without = (real: Answer, hidden: Answer): Answer => [
  real[0] & ~hidden[0],
  real[1] & ~hidden[1],
  real[2] & ~hidden[2],
  real[3] & ~hidden[3],
]

/** The guest's own CR4.OSXSAVE; a kernel that asks by forced emulation has always been shown the real one. */
function showsOsxsave(context: PvContext): boolean {
  if ((guestCr4(context) & BigInt(CR4_OSXSAVE)) !== 0n) return true
  const { cpu, regs } = context
  return inKernelMode(context) && (regs.get('entry_vector') & 0xffn) === FORCED && (cpu.words[CR4]! & CR4_OSXSAVE) !== 0
}

/** CPUID for the guest: its registers EAX to EDX, whose upper halves become 0. */
export function emulateCpuid(context: PvContext): void {
  const { regs } = context
  const leaf = Number(readGuestGpr(regs, RAX, 4))
  const [eax, ebx, ecx, edx] = guestAnswer(context, leaf, Number(readGuestGpr(regs, RCX, 4)))
  for (const [n, value] of [eax, ecx, edx, ebx].entries()) writeGuestGpr(regs, n, 4, BigInt(value >>> 0))
}
